/* buf: costs nothing while empty, grows, keeps its bytes when memory is out. */
#include "base/buf.h"
#include "unit.h"

static void buf_owns_nothing_while_empty(void **state)
{
    (void)state;
    struct buf b = {0};
    alloc_fail_at(0);
    assert_int_equal(buf_append(&b, BYTES("")), 0);
    assert_int_equal(buf_reserve(&b, 0), 0);
    assert_int_equal(alloc_count(), 0);
    assert_null(b.at);
}

static void buf_keeps_what_was_appended(void **state)
{
    (void)state;
    struct buf b = {0};
    for (size_t i = 0; i < 1000; i++) {
        uint8_t byte = (uint8_t)i;
        assert_int_equal(buf_append(&b, (struct bytes){&byte, 1}), 0);
    }
    assert_int_equal(b.len, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(b.at[i], (uint8_t)i);
    buf_deinit(&b);
}

static void buf_grows_in_few_steps(void **state)
{
    (void)state;
    struct buf b = {0};
    alloc_fail_at(0);
    for (size_t i = 0; i < 65536; i++)
        assert_int_equal(buf_append(&b, BYTES("x")), 0);
    assert_true(alloc_count() <= 11);
    buf_deinit(&b);
}

static void buf_reserve_makes_room_for_more(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_append(&b, BYTES("abc")), 0);
    assert_int_equal(buf_reserve(&b, 1000), 0);
    assert_true(b.cap - b.len >= 1000);
    assert_bytes_equal(buf_bytes(&b), BYTES("abc"));
    buf_deinit(&b);
}

static void buf_reserve_refuses_a_size_that_wraps(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_append(&b, BYTES("abc")), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 1), -1);
    assert_bytes_equal(buf_bytes(&b), BYTES("abc"));
    buf_deinit(&b);
}

static void buf_is_unchanged_when_memory_is_out(void **state)
{
    (void)state;
    struct buf b = {0};
    alloc_fail_at(1);
    assert_int_equal(buf_append(&b, BYTES("abc")), -1);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_append(&b, BYTES("abc")), 0);
    alloc_fail_at(1);
    uint8_t more[100] = {0};
    assert_int_equal(buf_append(&b, (struct bytes){more, sizeof more}), -1);
    assert_bytes_equal(buf_bytes(&b), BYTES("abc"));
    alloc_fail_at(0);
    buf_deinit(&b);
}

static void buf_consume_drops_the_front(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_append(&b, BYTES("abcdef")), 0);
    buf_consume(&b, 2);
    assert_bytes_equal(buf_bytes(&b), BYTES("cdef"));
    buf_consume(&b, 0);
    assert_bytes_equal(buf_bytes(&b), BYTES("cdef"));
    buf_deinit(&b);
}

static void buf_consume_of_all_frees(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_append(&b, BYTES("abc")), 0);
    buf_consume(&b, 3);
    assert_null(b.at);
    assert_int_equal(b.cap, 0);
}

static void buf_is_usable_after_deinit(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_append(&b, BYTES("abc")), 0);
    buf_deinit(&b);
    assert_int_equal(buf_append(&b, BYTES("de")), 0);
    assert_bytes_equal(buf_bytes(&b), BYTES("de"));
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_owns_nothing_while_empty),
        cmocka_unit_test(buf_keeps_what_was_appended),
        cmocka_unit_test(buf_grows_in_few_steps),
        cmocka_unit_test(buf_reserve_makes_room_for_more),
        cmocka_unit_test(buf_reserve_refuses_a_size_that_wraps),
        cmocka_unit_test(buf_is_unchanged_when_memory_is_out),
        cmocka_unit_test(buf_consume_drops_the_front),
        cmocka_unit_test(buf_consume_of_all_frees),
        cmocka_unit_test(buf_is_usable_after_deinit),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
