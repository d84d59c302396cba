/* pace: large rooms rest, small ones do not. */
#include "room/pace.h"
#include "unit.h"

static struct pace measured(double each)
{
    struct pace p = {0};
    for (int i = 0; i < 100; i++)
        pace_measure(&p, each * 1000, 1000);
    return p;
}

static void pace_lets_no_room_rest_before_anything_was_measured(void **state)
{
    (void)state;
    struct pace p = {0};
    assert_true(pace_rest(&p, 1000000) == 0);
    pace_measure(&p, 1, 31); /* too few to tell */
    assert_true(pace_rest(&p, 1000000) == 0);
}

static void pace_lets_a_large_room_rest_twice_as_long_as_it_takes(void **state)
{
    (void)state;
    struct pace p = measured(0.000002);
    double rest = pace_rest(&p, 1000);
    assert_true(rest > 0.0059 && rest < 0.0061);
}

static void pace_leaves_no_small_room_alone(void **state)
{
    (void)state;
    struct pace p = measured(0.000002);
    assert_true(pace_rest(&p, 50) == 0);
}

static void pace_adds_5_ms_at_most_to_what_a_write_takes(void **state)
{
    (void)state;
    struct pace p = measured(0.000010);
    double rest = pace_rest(&p, 50000);
    assert_true(rest > 0.504 && rest < 0.506);
}

static void pace_takes_no_slow_socket_for_the_room(void **state)
{
    (void)state;
    struct pace p = measured(1);
    assert_true(pace_rest(&p, 100) < 0.0075);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace_lets_no_room_rest_before_anything_was_measured),
        cmocka_unit_test(pace_lets_a_large_room_rest_twice_as_long_as_it_takes),
        cmocka_unit_test(pace_leaves_no_small_room_alone),
        cmocka_unit_test(pace_adds_5_ms_at_most_to_what_a_write_takes),
        cmocka_unit_test(pace_takes_no_slow_socket_for_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
