/* base64url against RFC 4648: its vectors, every length, and every text that is not the
 * one text of some bytes. */
#include "unit.h"
#include "wire/base64url.h"

static const struct pair {
    const char *name;
    struct bytes bytes, text;
} pairs[] = {
    /* RFC 4648 section 10, without its padding */
    {"base64url_of_nothing", LITERAL(""), LITERAL("")},
    {"base64url_of_f", LITERAL("f"), LITERAL("Zg")},
    {"base64url_of_fo", LITERAL("fo"), LITERAL("Zm8")},
    {"base64url_of_foo", LITERAL("foo"), LITERAL("Zm9v")},
    {"base64url_of_foob", LITERAL("foob"), LITERAL("Zm9vYg")},
    {"base64url_of_fooba", LITERAL("fooba"), LITERAL("Zm9vYmE")},
    {"base64url_of_foobar", LITERAL("foobar"), LITERAL("Zm9vYmFy")},
    /* section 5: 62 and 63 */
    {"base64url_has_minus_and_underline", LITERAL("\xFB\xEF\xBE\xFF\xFF\xFF"),
     LITERAL("----____")},
    {"base64url_of_nuls", LITERAL("\0\0\0\0"), LITERAL("AAAAAA")},
};

static const struct wrong {
    const char *name;
    struct bytes text;
} wrongs[] = {
    {"base64url_rejects_padding", LITERAL("Zg==")},
    {"base64url_rejects_half_a_padding", LITERAL("Zm8=")},
    {"base64url_rejects_a_single_character", LITERAL("Z")},
    {"base64url_rejects_five_characters", LITERAL("Zm9vY")},
    {"base64url_rejects_plus", LITERAL("+++/")},
    {"base64url_rejects_a_slash", LITERAL("AA/A")},
    {"base64url_rejects_a_line_break", LITERAL("Zm9v\n")},
    {"base64url_rejects_a_space", LITERAL(" Zm9v")},
    {"base64url_rejects_a_nul", LITERAL("Zm9\0")},
    {"base64url_rejects_what_is_not_ascii", LITERAL("Zm9\xE1")},
    {"base64url_rejects_one_left_over_bit_of_two", LITERAL("Zm9")},
    {"base64url_rejects_one_left_over_bit_of_four", LITERAL("Zh")},
};

static void translates_row(void **state)
{
    const struct pair *p = *state;
    char text[64];
    uint8_t bytes[64];
    assert_int_equal(base64url_length(p->bytes.len), p->text.len);
    base64url_encode(guarded(p->bytes), text);
    assert_memory_equal(text, p->text.at, p->text.len);
    assert_int_equal(base64url_decode(guarded(p->text), bytes), p->bytes.len);
    assert_memory_equal(bytes, p->bytes.at, p->bytes.len);
}

static void rejects_row(void **state)
{
    const struct wrong *w = *state;
    uint8_t bytes[64];
    assert_int_equal(base64url_decode(guarded(w->text), bytes), -1);
}

/* So a token has one text only. */
static void base64url_decodes_nothing_that_it_does_not_encode(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 1 << 16; c++) {
        uint8_t in[2] = {(uint8_t)(c >> 8), (uint8_t)c}, bytes[3];
        char text[8];
        ptrdiff_t n = base64url_decode((struct bytes){in, 2}, bytes);
        if (n < 0)
            continue;
        assert_int_equal(n, 1);
        base64url_encode((struct bytes){bytes, 1}, text);
        assert_memory_equal(text, in, 2);
    }
}

static void base64url_of_every_length_comes_back(void **state)
{
    (void)state;
    uint8_t in[256], out[258];
    char text[344];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 7 + 3);
    for (size_t len = 0; len <= sizeof in; len++) {
        size_t n = base64url_length(len);
        base64url_encode((struct bytes){in, len}, text);
        assert_int_equal(base64url_decode((struct bytes){(uint8_t *)text, n}, out), len);
        assert_memory_equal(in, out, len);
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(pairs) + COUNT(wrongs) + 2] = {
        cmocka_unit_test(base64url_decodes_nothing_that_it_does_not_encode),
        cmocka_unit_test(base64url_of_every_length_comes_back),
    };
    UNIT_ROWS(UNIT_ROWS(tests + 2, pairs, translates_row), wrongs, rejects_row);
    return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
