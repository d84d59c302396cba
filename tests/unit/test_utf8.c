/* utf8 against RFC 3629: every class of lead byte, at every split. */
#include "unit.h"
#include "wire/utf8.h"

struct text {
    const char *name;
    struct bytes in;
    int wrong_at; /* the first wrong byte, -1: valid, in.len: cut off */
};

static const struct text texts[] = {
    {"utf8_accepts_nothing", LITERAL(""), -1},
    {"utf8_accepts_ascii", LITERAL("The quick brown fox\x7F\0"), -1},
    {"utf8_accepts_two_bytes", LITERAL("\xC2\x80\xDF\xBF"), -1},
    {"utf8_accepts_three_bytes", LITERAL("\xE0\xA0\x80\xE1\x80\x80\xEF\xBF\xBF"), -1},
    {"utf8_accepts_around_surrogates", LITERAL("\xED\x9F\xBF\xEE\x80\x80"), -1},
    {"utf8_accepts_four_bytes", LITERAL("\xF0\x90\x80\x80\xF3\xBF\xBF\xBF"), -1},
    {"utf8_accepts_the_last_character", LITERAL("\xF4\x8F\xBF\xBF"), -1},
    {"utf8_accepts_mixed_words",
     LITERAL("12345678\xC3\xB1"
             "1234567\xC3\xB1"
             "12"),
     -1},
    {"utf8_rejects_a_lone_tail", LITERAL("a\x80"), 1},
    {"utf8_rejects_a_tail_too_many", LITERAL("\xC3\xB1\xB1"), 2},
    {"utf8_rejects_overlong_two_c0", LITERAL("\xC0\x80"), 0},
    {"utf8_rejects_overlong_two_c1", LITERAL("\xC1\xBF"), 0},
    {"utf8_rejects_overlong_three", LITERAL("\xE0\x9F\xBF"), 1},
    {"utf8_rejects_overlong_four", LITERAL("\xF0\x8F\xBF\xBF"), 1},
    {"utf8_rejects_first_surrogate", LITERAL("\xED\xA0\x80"), 1},
    {"utf8_rejects_last_surrogate", LITERAL("\xED\xBF\xBF"), 1},
    {"utf8_rejects_above_10ffff", LITERAL("\xF4\x90\x80\x80"), 1},
    {"utf8_rejects_f5", LITERAL("\xF5\x80\x80\x80"), 0},
    {"utf8_rejects_ff", LITERAL("12345678\xFF"), 8},
    {"utf8_rejects_a_lead_within_two", LITERAL("\xC3\xC3"), 1},
    {"utf8_rejects_ascii_within_three",
     LITERAL("\xE2\x82"
             "a"),
     2},
    {"utf8_rejects_ascii_within_four",
     LITERAL("\xF1\x80\x80"
             "a"),
     3},
    {"utf8_rejects_a_wrong_byte_after_words",
     LITERAL("1234567812345678\xFE"
             "1"),
     16},
    {"utf8_rejects_a_lead_for_the_last_of_two", LITERAL("\xC3\xC0"), 1},
    {"utf8_rejects_a_lead_for_the_second_of_three", LITERAL("\xE1\xC0\x80"), 1},
    {"utf8_rejects_a_lead_for_the_last_of_three", LITERAL("\xE1\x80\xC0"), 2},
    {"utf8_rejects_a_lead_after_e0", LITERAL("\xE0\xC0\x80"), 1},
    {"utf8_rejects_a_lead_for_the_second_of_four", LITERAL("\xF1\xC0\x80\x80"), 1},
    {"utf8_rejects_a_lead_for_the_third_of_four", LITERAL("\xF1\x80\xC0\x80"), 2},
    {"utf8_rejects_a_lead_after_f0", LITERAL("\xF0\xC0\x80\x80"), 1},
    {"utf8_rejects_a_cut_two", LITERAL("a\xC3"), 2},
    {"utf8_rejects_a_cut_three", LITERAL("\xE2\x82"), 2},
    {"utf8_rejects_a_cut_four", LITERAL("\xF0\x9F\x98"), 3},
};

static void judges_row(void **state)
{
    const struct text *t = *state;
    struct bytes in = guarded(t->in);
    assert_int_equal(utf8_is_valid(in), t->wrong_at == -1);
    for (size_t cut = 0; cut <= in.len; cut++) {
        uint8_t first = utf8_feed(UTF8_ACCEPT, (struct bytes){in.at, cut});
        bool wrong = t->wrong_at >= 0 && cut > (size_t)t->wrong_at;
        assert_int_equal(first == UTF8_REJECT, wrong);
        uint8_t both = utf8_feed(first, bytes_skip(in, cut));
        assert_int_equal(both == UTF8_ACCEPT, t->wrong_at == -1);
        assert_int_equal(both == UTF8_REJECT,
                         t->wrong_at >= 0 && (size_t)t->wrong_at < in.len);
    }
}

static size_t encode(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3F));
    out[0] = (uint8_t)((0xF00U >> n & 0xFF) | c);
    return n;
}

static void utf8_accepts_exactly_the_scalar_values(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x200000; c++) {
        uint8_t text[4];
        size_t len = encode(c, text);
        bool scalar = c < 0xD800 || (c > 0xDFFF && c < 0x110000);
        if (utf8_is_valid((struct bytes){text, len}) != scalar)
            fail_msg("U+%X", c);
    }
}

static void utf8_stays_rejected(void **state)
{
    (void)state;
    assert_int_equal(utf8_feed(UTF8_REJECT, BYTES("perfectly fine text")), UTF8_REJECT);
    assert_int_equal(utf8_feed(UTF8_REJECT, BYTES("")), UTF8_REJECT);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(texts) + 2] = {
        cmocka_unit_test(utf8_accepts_exactly_the_scalar_values),
        cmocka_unit_test(utf8_stays_rejected),
    };
    UNIT_ROWS(tests + 2, texts, judges_row);
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
