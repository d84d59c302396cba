/* limit: every time is counted, one line a second is logged. */
#include "base/limit.h"

#include "base/log.h"
#include "unit.h"

static unsigned lines;
static char last[512];

static void keep(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level;
    lines++;
    snprintf(last, sizeof last, "%s", line);
}

static const struct log all = {LOG_DEBUG, keep, NULL, NULL};
static const struct addr ana = {{192, 0, 2, 1}, 4242, ADDR_IPV4};

static void limit_logs_the_first_time_and_once_a_second_then(void **state)
{
    (void)state;
    static const struct {
        uint64_t now_ms;
        unsigned lines;
    } steps[] = {{0, 1},    {1, 1},    {999, 1},  {1000, 1}, {1001, 2},
                 {1002, 2}, {2000, 2}, {2001, 3}, {9000, 4}};
    struct limit_count counts[LIMIT_KINDS] = {0};
    lines = 0;
    for (size_t i = 0; i < COUNT(steps); i++) {
        limit_reached(counts, LIMIT_MESSAGE, &ana, steps[i].now_ms, &all);
        assert_int_equal(lines, steps[i].lines);
        assert_int_equal(atomic_load(&counts[LIMIT_MESSAGE].times), i + 1);
    }
    assert_string_equal(last, "client closed for too large a message "
                              "limit=--max-message ip=192.0.2.1 times=9");
}

static void limit_counts_and_logs_each_kind_by_itself(void **state)
{
    (void)state;
    struct limit_count counts[LIMIT_KINDS] = {0};
    lines = 0;
    for (enum limit i = 0; i < LIMIT_KINDS; i++) {
        char wanted[80];
        limit_reached(counts, i, NULL, 5, &all);
        limit_reached(counts, i, NULL, 6, &all);
        snprintf(wanted, sizeof wanted, " limit=--%s times=1", limit_option(i));
        assert_non_null(strstr(last, wanted));
        assert_int_equal(lines, i + 1);
        assert_int_equal(atomic_load(&counts[i].times), 2);
    }
}

/* A hundred refusals within a second: the line of the first says 1, and the next second
 * says the others. */
static void limit_says_within_a_second_what_it_left_out(void **state)
{
    (void)state;
    struct limit_count counts[LIMIT_KINDS] = {0};
    lines = 0;
    for (int i = 0; i < 100; i++)
        limit_reached(counts, LIMIT_PER_ADDRESS, &ana, 5000, &all);
    assert_int_equal(lines, 1);
    limit_settle(counts, 5999, &all);
    assert_int_equal(lines, 1);
    limit_settle(counts, 6000, &all);
    assert_int_equal(lines, 2);
    assert_string_equal(last, "connection turned away: too many of this address "
                              "limit=--max-per-address times=100");
    limit_settle(counts, 7000, &all); /* nothing since */
    assert_int_equal(lines, 2);
}

static void limit_says_at_the_end_what_it_left_out(void **state)
{
    (void)state;
    struct limit_count counts[LIMIT_KINDS] = {0};
    lines = 0;
    limit_reached(counts, LIMIT_QUEUE, NULL, 5000, &all);
    limit_reached(counts, LIMIT_QUEUE, NULL, 5000, &all);
    limit_settle(counts, LIMIT_END, &all);
    assert_int_equal(lines, 2);
    assert_string_equal(last, "client reads too slowly limit=--max-queue times=2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_logs_the_first_time_and_once_a_second_then),
        cmocka_unit_test(limit_counts_and_logs_each_kind_by_itself),
        cmocka_unit_test(limit_says_within_a_second_what_it_left_out),
        cmocka_unit_test(limit_says_at_the_end_what_it_left_out),
    };
    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
