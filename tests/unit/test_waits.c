/* waits: the deadlines of each kind come in their order. */
#include "room/waits.h"
#include "unit.h"

static const double seconds[CONN_WAIT_KINDS] = {
    [CONN_WAIT_HEAD] = 10, [CONN_WAIT_PONG] = 20, [CONN_WAIT_CLOSE] = 3};

static void waits_are_over_in_order_of_their_beginning(void **state)
{
    (void)state;
    struct waits w;
    struct peer p[2];
    waits_init(&w, seconds);
    for (int i = 0; i < 2; i++) {
        list_init(&p[i].wait);
        waits_begin(&w, &p[i], CONN_WAIT_HEAD, i);
    }
    assert_true(waits_first(&w, CONN_WAIT_HEAD) == 10);
    assert_null(waits_over(&w, CONN_WAIT_HEAD, 9.9));
    assert_ptr_equal(waits_over(&w, CONN_WAIT_HEAD, 10), &p[0]);
    waits_end(&p[0]);
    assert_null(waits_over(&w, CONN_WAIT_HEAD, 10));
    assert_ptr_equal(waits_over(&w, CONN_WAIT_HEAD, 11), &p[1]);
    waits_end(&p[1]);
    assert_true(waits_first(&w, CONN_WAIT_HEAD) == 0);
}

static void waits_begin_again_with_another_kind(void **state)
{
    (void)state;
    struct waits w;
    struct peer p;
    waits_init(&w, seconds);
    list_init(&p.wait);
    waits_begin(&w, &p, CONN_WAIT_HEAD, 0);
    waits_begin(&w, &p, CONN_WAIT_CLOSE, 9);
    assert_null(waits_over(&w, CONN_WAIT_HEAD, 100));
    assert_ptr_equal(waits_over(&w, CONN_WAIT_CLOSE, 12), &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_are_over_in_order_of_their_beginning),
        cmocka_unit_test(waits_begin_again_with_another_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
