/* map: against an array that holds the same, over random changes. */
#include "base/id.h"
#include "base/map.h"
#include "random.h"
#include "unit.h"

enum { KEYS = 96, CHANGES = 60000 };

static int values[2][KEYS]; /* their addresses are the values */

/* Keys that differ as ids do, and the ends of the range. */
static uint64_t key_of(uint32_t i)
{
    return i == 0 ? 0 : i == 1 ? UINT64_MAX : id_make(i % 3, i / 3, 1 + i % 2);
}

static void map_is_empty_at_first(void **state)
{
    (void)state;
    struct map m = {0};
    size_t at = 0;
    assert_null(map_get(&m, 7));
    assert_null(map_take(&m, 7));
    assert_null(map_next(&m, &at));
    map_deinit(&m);
}

static void map_gives_what_was_put(void **state)
{
    (void)state;
    struct map m = {0};
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(map_put(&m, key_of(i), &values[0][i]), 0);
    assert_int_equal(m.count, KEYS);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_ptr_equal(map_get(&m, key_of(i)), &values[0][i]);
    assert_null(map_get(&m, 12345));
    map_deinit(&m);
}

static void map_put_replaces(void **state)
{
    (void)state;
    struct map m = {0};
    assert_int_equal(map_put(&m, 5, &values[0][0]), 0);
    assert_int_equal(map_put(&m, 5, &values[1][0]), 0);
    assert_int_equal(m.count, 1);
    assert_ptr_equal(map_get(&m, 5), &values[1][0]);
    map_deinit(&m);
}

static void map_take_gives_once(void **state)
{
    (void)state;
    struct map m = {0};
    assert_int_equal(map_put(&m, 5, &values[0][0]), 0);
    assert_ptr_equal(map_take(&m, 5), &values[0][0]);
    assert_null(map_take(&m, 5));
    assert_null(map_get(&m, 5));
    assert_int_equal(m.count, 0);
    map_deinit(&m);
}

static void assert_walk_visits_each_once(const struct map *m, void *const model[KEYS])
{
    bool seen[2][KEYS] = {{false}};
    size_t at = 0, count = 0, wanted = 0;
    for (int *v; (v = map_next(m, &at)); count++) {
        ptrdiff_t i = v - values[0];
        assert_in_range(i, 0, 2 * KEYS - 1);
        assert_false(seen[i / KEYS][i % KEYS]);
        seen[i / KEYS][i % KEYS] = true;
        assert_ptr_equal(model[i % KEYS], v);
    }
    for (uint32_t i = 0; i < KEYS; i++)
        wanted += model[i] != NULL;
    assert_int_equal(count, wanted);
    assert_int_equal(m->count, wanted);
}

static void map_agrees_with_a_model_over_random_changes(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct map m = {0};
    void *model[KEYS] = {NULL};
    for (uint32_t n = 0; n < CHANGES; n++) {
        /* Waves of growing and shrinking reach every filling. */
        uint32_t i = random_below(&seed, KEYS), phase = n / 300 % 2;
        if (random_below(&seed, 4) < (phase ? 1U : 3U)) {
            void *value = &values[random_below(&seed, 2)][i];
            assert_int_equal(map_put(&m, key_of(i), value), 0);
            model[i] = value;
        } else {
            assert_ptr_equal(map_take(&m, key_of(i)), model[i]);
            model[i] = NULL;
        }
        for (uint32_t k = n % 7; k < KEYS; k += 7)
            assert_ptr_equal(map_get(&m, key_of(k)), model[k]);
        if (n % 64 == 0)
            assert_walk_visits_each_once(&m, model);
    }
    assert_walk_visits_each_once(&m, model);
    map_deinit(&m);
}

static void map_is_unchanged_without_memory(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        struct map m = {0};
        uint32_t put = 0;
        alloc_fail_at(n);
        while (put < KEYS && map_put(&m, key_of(put), &values[0][put]) == 0)
            put++;
        bool failed = alloc_has_failed();
        assert_int_equal(m.count, put);
        for (uint32_t i = 0; i < KEYS; i++)
            assert_ptr_equal(map_get(&m, key_of(i)), i < put ? &values[0][i] : NULL);
        map_deinit(&m);
        if (!failed)
            break;
        assert_true(put < KEYS);
        failures++;
    }
    alloc_fail_at(0);
    assert_true(failures >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_is_empty_at_first),
        cmocka_unit_test(map_gives_what_was_put),
        cmocka_unit_test(map_put_replaces),
        cmocka_unit_test(map_take_gives_once),
        cmocka_unit_test(map_agrees_with_a_model_over_random_changes),
        cmocka_unit_test(map_is_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
