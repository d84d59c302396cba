/* name_key: which names are one, which are none, by a table; and that the key of a key is
 * itself, for every character. */
#include "script/name_key.h"
#include "unit.h"

struct row {
    const char *name;
    const char *text; /* the name */
    const char *key;  /* NULL: there is none */
    enum name_key result;
};

/* clang-format off */
static struct row rows[] = {
    {"letters_fold", "Ana", "ana", NAME_KEY_OK},
    {"digits_and_signs_stay", "R2-D2_!", "r2-d2_!", NAME_KEY_OK},
    {"capitals_beyond_ascii_fold", "ÁÑA ΣΊΣΥΦΟΣ ЖЁ", "áñaσίσυφοσжё", NAME_KEY_OK},
    {"sharp_s_is_ss", "Straße", "strasse", NAME_KEY_OK},
    {"capital_sharp_s_is_ss", "STRAẞE", "strasse", NAME_KEY_OK},
    {"turkish_capital_i_folds_as_by_default", "I", "i", NAME_KEY_OK},
    {"dotless_i_is_a_letter_of_its_own", "ı", "ı", NAME_KEY_OK},
    {"dotted_capital_i_keeps_its_dot", "İ", "i\xCC\x87", NAME_KEY_OK},
    {"final_sigma_is_sigma", "ς", "σ", NAME_KEY_OK},
    {"cherokee_folds_to_capitals", "\xEA\xAD\xB0", "Ꭰ", NAME_KEY_OK},
    {"decomposed_is_composed", "Jose\xCC\x81", "josé", NAME_KEY_OK},
    {"composed_stays", "José", "josé", NAME_KEY_OK},
    {"order_of_marks_does_not_count", "a\xCC\xA3\xCC\x81", "ạ́", NAME_KEY_OK},
    {"hangul_composes", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "한", NAME_KEY_OK},
    {"fullwidth_is_narrow", "Ａｎａ１", "ana1", NAME_KEY_OK},
    {"ligatures_are_letters", "ﬁn", "fin", NAME_KEY_OK},
    {"mathematical_letters_are_letters", "𝐀𝖓𝓪", "ana", NAME_KEY_OK},
    {"circled_letters_are_letters", "Ⓐⓝⓐ", "ana", NAME_KEY_OK},
    {"what_looks_alike_in_other_scripts_is_another", "аna", "аna", NAME_KEY_OK},
    {"white_space_is_dropped", " A n\ta\r\n", "ana", NAME_KEY_OK},
    {"other_white_space_is_dropped", "A\xC2\xA0n\xE3\x80\x80""a\xE2\x80\x89\xC2\x85\xE1\x9A\x80", "ana", NAME_KEY_OK},
    {"line_separators_are_dropped", "A\xE2\x80\xA8na\xE2\x80\xA9", "ana", NAME_KEY_OK},
    {"zero_width_is_dropped", "A\xE2\x80\x8Bn\xE2\x80\x8D""a\xEF\xBB\xBF\xE2\x81\xA0\xE2\x80\x8C", "ana", NAME_KEY_OK},
    {"soft_hyphen_is_dropped", "A\xC2\xADna", "ana", NAME_KEY_OK},
    {"bidi_controls_are_dropped", "\xE2\x80\xAE""Ana\xE2\x80\xAC\xE2\x81\xA6\xE2\x81\xA9\xE2\x80\x8F", "ana", NAME_KEY_OK},
    {"grapheme_joiner_is_dropped", "A\xCD\x8Fna", "ana", NAME_KEY_OK},
    {"variation_selectors_are_dropped", "♥\xEF\xB8\x8F", "♥", NAME_KEY_OK},
    {"tags_are_dropped", "Ana\xF3\xA0\x81\xA1\xF3\xA0\x81\xBF", "ana", NAME_KEY_OK},
    {"fillers_are_dropped", "A\xE3\x85\xA4n\xEF\xBE\xA0""a\xE1\x85\x9F\xE1\x85\xA0", "ana", NAME_KEY_OK},
    {"braille_blank_is_dropped", "A\xE2\xA0\x80na", "ana", NAME_KEY_OK},
    {"null_notehead_is_dropped", "Ana\xF0\x9D\x85\x99", "ana", NAME_KEY_OK},
    {"controls_are_dropped", "A\x01n\x7F""a\xC2\x9B", "ana", NAME_KEY_OK},
    {"annotations_are_dropped", "Ana\xEF\xBF\xB9\xEF\xBF\xBB", "ana", NAME_KEY_OK},
    {"an_accent_finds_its_letter", "e\xE2\x80\x8B\xCC\x81", "é", NAME_KEY_OK},
    {"iota_below_is_iota", "ᾳ\xE2\x80\x8B", "αι", NAME_KEY_OK},
    {"a_joined_emoji_is_its_parts", "👩\xE2\x80\x8D🚀", "👩🚀", NAME_KEY_OK},
    {"new_characters_are_visible", "\xF0\x9F\xAB\xA9", "\xF0\x9F\xAB\xA9", NAME_KEY_OK},
    {"nothing_is_invisible", "", NULL, NAME_KEY_INVISIBLE},
    {"spaces_are_invisible", "   ", NULL, NAME_KEY_INVISIBLE},
    {"zero_width_is_invisible", "\xE2\x80\x8B\xE2\x80\x8D", NULL, NAME_KEY_INVISIBLE},
    {"fillers_are_invisible", "\xE3\x85\xA4\xEF\xBE\xA0", NULL, NAME_KEY_INVISIBLE},
    {"braille_blank_is_invisible", "\xE2\xA0\x80", NULL, NAME_KEY_INVISIBLE},
    {"tags_are_invisible", "\xF3\xA0\x81\xA1", NULL, NAME_KEY_INVISIBLE},
    {"marks_alone_are_invisible", "\xCC\x81\xCC\x82", NULL, NAME_KEY_INVISIBLE},
    {"marks_on_a_space_are_invisible", "\xC2\xA0\xCC\x81", NULL, NAME_KEY_INVISIBLE},
    {"a_stray_byte_is_malformed", "An\xE9", NULL, NAME_KEY_MALFORMED},
    {"half_a_character_is_malformed", "An\xC3", NULL, NAME_KEY_MALFORMED},
    {"a_surrogate_is_malformed", "\xED\xA0\x80", NULL, NAME_KEY_MALFORMED},
    {"an_overlong_form_is_malformed", "\xC1\x81", NULL, NAME_KEY_MALFORMED},
};
/* clang-format on */

static void row_holds(void **state)
{
    const struct row *r = *state;
    struct buf out = {0};
    assert_int_equal(name_key(guarded(bytes_of(r->text)), &out), r->result);
    if (r->key)
        assert_bytes_equal(buf_bytes(&out), bytes_of(r->key));
    else
        assert_int_equal(out.len, 0);
    buf_deinit(&out);
}

static void too_long_is_refused(void **state)
{
    (void)state;
    uint8_t name[NAME_KEY_MAX + 1];
    struct buf out = {0};
    memset(name, 'A', sizeof name);
    assert_int_equal(name_key((struct bytes){name, sizeof name}, &out),
                     NAME_KEY_TOO_LONG);
    assert_int_equal(name_key((struct bytes){name, NAME_KEY_MAX}, &out), NAME_KEY_OK);
    assert_int_equal(out.len, NAME_KEY_MAX);
    buf_deinit(&out);
}

/* UTF-8 of `c`. Returns its bytes. */
static size_t encode(uint32_t c, uint8_t *to)
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; c >>= 6)
        to[i] = (uint8_t)(0x80 | (c & 0x3F));
    to[0] = (uint8_t)(len == 1 ? c : (0xF00U >> len & 0xFF) | c);
    return len;
}

static void the_key_of_a_key_is_itself(void **state)
{
    (void)state;
    struct buf once = {0}, twice = {0};
    for (uint32_t c = 0; c < 0x110000; c++) {
        uint8_t text[4] = {0};
        if (c >= 0xD800 && c < 0xE000)
            continue;
        once.len = twice.len = 0;
        if (name_key((struct bytes){text, encode(c, text)}, &once) != NAME_KEY_OK)
            continue;
        assert_int_equal(name_key(buf_bytes(&once), &twice), NAME_KEY_OK);
        assert_bytes_equal(buf_bytes(&twice), buf_bytes(&once));
    }
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void lack_of_memory_appends_nothing(void **state)
{
    (void)state;
    const char *const names[] = {"Ana", "Áña"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct buf out = {0};
        alloc_fail_at(1);
        assert_int_equal(name_key(bytes_of(names[i]), &out), NAME_KEY_NO_MEMORY);
        alloc_fail_at(0);
        assert_int_equal(out.len, 0);
        buf_deinit(&out);
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 3] = {
        cmocka_unit_test(too_long_is_refused),
        cmocka_unit_test(the_key_of_a_key_is_itself),
        cmocka_unit_test(lack_of_memory_appends_nothing),
    };
    unit_rows(tests + 3, rows, COUNT(rows), sizeof *rows, row_holds);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
