/* refusal: one line a reason and minute, with what came in between; names, each once. */
#include "base/refusal.h"
#include "base/log.h"
#include "unit.h"

static char said[4096];

static void keep(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    assert_int_equal(level, LOG_INFO);
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s|", line);
}

static const struct log all = {.level = LOG_DEBUG, .sink = keep};

static int forget(void **state)
{
    (void)state;
    said[0] = 0;
    return 0;
}

static void refusal_tells_once_a_minute_with_what_it_swallowed(void **state)
{
    (void)state;
    struct refusals r = {0};
    for (uint64_t i = 0; i < 10; i++)
        refusal_note(&r, "a", 5000 + i, &all);
    refusal_note(&r, "b", 6000, &all);
    refusal_settle(&r, 64999, &all);
    assert_string_equal(said, "requests refused reason=\"a\" times=1|"
                              "requests refused reason=\"b\" times=1|");
    said[0] = 0;
    refusal_settle(&r, 65000, &all);
    assert_string_equal(said, "requests refused reason=\"a\" times=9|");
    said[0] = 0;
    refusal_settle(&r, 200000, &all);
    assert_string_equal(said, "");
    refusal_note(&r, "b", 200000, &all);
    refusal_note(&r, "b", 200001, &all);
    refusal_settle(&r, UINT64_MAX, &all);
    assert_string_equal(said, "requests refused reason=\"b\" times=1|"
                              "requests refused reason=\"b\" times=1|");
}

static void refusal_knows_a_bounded_number_of_reasons(void **state)
{
    (void)state;
    static char reasons[REFUSAL_REASONS_MAX + 2][8];
    struct refusals r = {0};
    for (size_t i = 0; i < COUNT(reasons); i++)
        refusal_note(&r, reasons[i], 1000, &all);
    refusal_settle(&r, UINT64_MAX, &all);
    assert_non_null(strstr(said, "reason=\"other reasons\" times=1|"));
    assert_non_null(strstr(said, "reason=\"other reasons\" times=2|"));
}

static void refusal_tells_of_a_name_once(void **state)
{
    (void)state;
    struct refusals r = {0};
    char name[32];
    assert_true(refusal_is_new_name(&r, BYTES("chat.test")));
    assert_false(refusal_is_new_name(&r, BYTES("Chat.TEST")));
    assert_true(refusal_is_new_name(&r, BYTES("chat.tes")));
    for (int i = 0; i < REFUSAL_NAMES_MAX - 2; i++) {
        snprintf(name, sizeof name, "%d.test", i);
        assert_true(refusal_is_new_name(&r, bytes_of(name)));
    }
    assert_false(refusal_is_new_name(&r, BYTES("one.too.many")));
    assert_false(refusal_is_new_name(&r, BYTES("chat.test")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(refusal_tells_once_a_minute_with_what_it_swallowed,
                               forget),
        cmocka_unit_test_setup(refusal_knows_a_bounded_number_of_reasons, forget),
        cmocka_unit_test(refusal_tells_of_a_name_once),
    };
    return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
