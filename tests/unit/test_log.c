/* log: one line a call, whatever is put into it. */
#include "base/log.h"
#include "unit.h"

struct kept {
    unsigned calls;
    enum log_level level;
    char line[9000];
};

static void keep(void *ctx, enum log_level level, const char *line)
{
    struct kept *kept = ctx;
    kept->calls++;
    kept->level = level;
    assert_true(strlen(line) < sizeof kept->line);
    memcpy(kept->line, line, strlen(line) + 1);
}

static const struct row {
    const char *name, *said, *wanted;
} rows[] = {
    {"log_keeps_plain_text", "closed code=1000", "closed code=1000"},
    {"log_keeps_an_empty_line", "", ""},
    {"log_keeps_utf8", "\xE7\x8C\xAA \xF0\x9F\x98\x80", "\xE7\x8C\xAA \xF0\x9F\x98\x80"},
    {"log_keeps_a_percent_sign_of_an_argument", "%s%n%d", "%s%n%d"},
    {"log_indents_what_follows_a_line_feed", "name=x\n2026-01-01 ERROR forged",
     "name=x\n\t2026-01-01 ERROR forged"},
    {"log_indents_after_each_line_feed", "\n\na\n", "\n\t\n\ta\n\t"},
    {"log_defuses_a_carriage_return", "name=x\rforged", "name=x?forged"},
    {"log_defuses_both_halves_of_a_crlf", "a\r\nb", "a?\n\tb"},
    {"log_defuses_escape_sequences", "\033[2J\033]0;x\a", "?[2J?]0;x?"},
    {"log_defuses_backspace_and_delete", "a\bb\177c", "a?b?c"},
    {"log_defuses_other_control_characters", "\001\v\f\037", "????"},
    {"log_keeps_tabs", "a\tb", "a\tb"},
    {"log_keeps_what_people_write", "\xC3\xB1 \xE4\xBD\xA0 \xF0\x9F\x98\x80 \xC2\xA0",
     "\xC3\xB1 \xE4\xBD\xA0 \xF0\x9F\x98\x80 \xC2\xA0"},
    {"log_defuses_the_first_upper_control_character", "a\xC2\x80z", "a?z"},
    {"log_defuses_the_last_upper_control_character", "a\xC2\x9Fz", "a?z"},
    {"log_defuses_next_line_and_csi",
     "a\xC2\x85"
     "b\xC2\x9B"
     "2Jz",
     "a?b?2Jz"},
    {"log_defuses_line_and_paragraph_separators", "a\xE2\x80\xA8z\xE2\x80\xA9", "a?z?"},
    {"log_keeps_their_neighbours", "\xE2\x80\xA7\xE2\x80\xAA",
     "\xE2\x80\xA7\xE2\x80\xAA"},
    {"log_defuses_bytes_that_are_no_utf8", "\x9B 2J\xFF\xC3", "? 2J??"},
    {"log_defuses_overlong_forms", "\xC0\x9B \xE0\x80\x9B", "?? ???"},
    {"log_defuses_surrogates_and_what_lies_beyond", "\xED\xA0\x80 \xF4\x90\x80\x80",
     "??? ????"},
};

static void becomes_as_wanted(void **state)
{
    const struct row *row = *state;
    struct kept kept = {0};
    struct log log = {LOG_INFO, keep, &kept, NULL};
    log_info(&log, "%s", row->said);
    assert_int_equal(kept.calls, 1);
    assert_string_equal(kept.line, row->wanted);
}

static void log_formats_its_arguments(void **state)
{
    (void)state;
    struct kept kept = {0};
    struct log log = {LOG_DEBUG, keep, &kept, NULL};
    log_warn(&log, "closed id=%d code=%u", 7, 1001U);
    assert_string_equal(kept.line, "closed id=7 code=1001");
    assert_int_equal(kept.level, LOG_WARN);
}

static void log_drops_what_lies_above_its_level(void **state)
{
    (void)state;
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        struct kept kept = {0};
        struct log log = {(enum log_level)level, keep, &kept, NULL};
        log_error(&log, "e");
        log_warn(&log, "w");
        log_info(&log, "i");
        log_debug(&log, "d");
        assert_int_equal(kept.calls, level + 1);
        assert_int_equal(kept.level, level);
    }
}

static void log_without_a_sink_says_nothing(void **state)
{
    (void)state;
    struct log log = {LOG_DEBUG, NULL, NULL, NULL};
    log_error(&log, "x");
}

static void log_cuts_a_long_line(void **state)
{
    (void)state;
    static char said[20000];
    memset(said, 'x', sizeof said - 1);
    struct kept kept = {0};
    struct log log = {LOG_INFO, keep, &kept, NULL};
    log_info(&log, "%s", said);
    assert_int_equal(kept.calls, 1);
    assert_int_equal(strlen(kept.line), 4095);
}

static void log_holds_a_line_of_line_feeds(void **state)
{
    (void)state;
    static char said[20000];
    memset(said, '\n', sizeof said - 1);
    struct kept kept = {0};
    struct log log = {LOG_INFO, keep, &kept, NULL};
    log_info(&log, "%s", said);
    assert_int_equal(strlen(kept.line), 2 * 4095);
}

static void log_levels_have_names(void **state)
{
    (void)state;
    assert_string_equal(log_level_name(LOG_ERROR), "error");
    assert_string_equal(log_level_name(LOG_WARN), "warn");
    assert_string_equal(log_level_name(LOG_INFO), "info");
    assert_string_equal(log_level_name(LOG_DEBUG), "debug");
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(log_formats_its_arguments),
        cmocka_unit_test(log_drops_what_lies_above_its_level),
        cmocka_unit_test(log_without_a_sink_says_nothing),
        cmocka_unit_test(log_cuts_a_long_line),
        cmocka_unit_test(log_holds_a_line_of_line_feeds),
        cmocka_unit_test(log_levels_have_names),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, rows, becomes_as_wanted), others, sizeof others);
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
