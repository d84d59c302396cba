/* array: growth by doubling, with zeroes. */
#include "base/array.h"
#include "unit.h"

#include <stdlib.h>

static void array_keeps_its_elements_and_the_new_ones_are_zero(void **state)
{
    (void)state;
    uint32_t cap = 0;
    uint64_t *a = NULL;
    for (uint32_t i = 0; i < 1000; i++) {
        a = array_reach(a, &cap, i, sizeof *a);
        assert_non_null(a);
        assert_true(i < cap);
        assert_int_equal(a[i], 0);
        a[i] = i + 1;
    }
    for (uint32_t i = 0; i < cap; i++)
        assert_int_equal(a[i], i < 1000 ? i + 1 : 0);
    free(a);
}

static void array_grows_as_far_as_it_has_to_reach(void **state)
{
    (void)state;
    uint32_t cap = 0;
    uint16_t *a = array_reach(NULL, &cap, 100, sizeof *a);
    assert_int_equal(cap, 128);
    assert_ptr_equal(array_reach(a, &cap, 127, sizeof *a), a);
    assert_int_equal(cap, 128);
    free(a);
}

static void array_is_unchanged_without_memory(void **state)
{
    (void)state;
    uint32_t cap = 0;
    uint32_t *a = array_reach(NULL, &cap, 0, sizeof *a), before = cap;
    a[0] = 7;
    alloc_fail_at(1);
    assert_null(array_reach(a, &cap, cap, sizeof *a));
    alloc_fail_at(0);
    assert_null(array_reach(a, &cap, UINT32_MAX, sizeof *a));
    assert_int_equal(cap, before);
    assert_int_equal(a[0], 7);
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(array_keeps_its_elements_and_the_new_ones_are_zero),
        cmocka_unit_test(array_grows_as_far_as_it_has_to_reach),
        cmocka_unit_test(array_is_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}
