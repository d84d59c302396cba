/* timers: against an array that is searched, over random changes. */
#include "random.h"
#include "script/timers.h"
#include "unit.h"

enum { TIMERS_MAX = 64, CHANGES = 40000 };

/* The earliest of the model, by time and then by id. */
static struct timer *first_of(struct timer *const *model, size_t count)
{
    struct timer *first = NULL;
    for (size_t i = 0; i < count; i++)
        if (!first || model[i]->due < first->due ||
            (model[i]->due <= first->due && model[i]->id < first->id))
            first = model[i];
    return first;
}

static void assert_heap_knows_its_places(const struct timers *t)
{
    for (size_t i = 0; i < t->count; i++)
        assert_int_equal(t->heap[i]->at, i);
}

static void timers_are_none_at_first(void **state)
{
    (void)state;
    struct timers t = {0};
    assert_null(timers_first(&t));
    assert_null(timers_find(&t, 1));
    timers_deinit(&t);
}

static void timers_add_keeps_what_it_was_given(void **state)
{
    (void)state;
    struct timers t = {0};
    int owner;
    struct timer *a = timers_add(&t, 2.5, 0.5, &owner);
    assert_non_null(a);
    assert_true(a->due >= 2.5 && a->due <= 2.5);
    assert_true(a->period >= 0.5 && a->period <= 0.5);
    assert_ptr_equal(a->owner, &owner);
    assert_false(a->cancelled);
    assert_false(a->fired);
    assert_ptr_equal(timers_find(&t, a->id), a);
    timers_deinit(&t);
}

static void timers_ids_are_never_used_again(void **state)
{
    (void)state;
    struct timers t = {0};
    uint64_t last = 0;
    for (int i = 0; i < 10; i++) {
        struct timer *timer = timers_add(&t, 1, 0, NULL);
        assert_true(timer->id > last);
        last = timer->id;
        timers_remove(&t, timer);
        assert_null(timers_find(&t, last));
    }
    timers_deinit(&t);
}

static void timers_of_one_time_keep_the_order_of_adding(void **state)
{
    (void)state;
    struct timers t = {0};
    for (int i = 0; i < TIMERS_MAX; i++)
        assert_non_null(timers_add(&t, 1, 0, NULL));
    for (uint64_t id = 1; id <= TIMERS_MAX; id++) {
        assert_int_equal(timers_first(&t)->id, id);
        timers_remove(&t, timers_first(&t));
    }
    assert_null(timers_first(&t));
    timers_deinit(&t);
}

static void timers_agree_with_a_model_over_random_changes(void **state)
{
    (void)state;
    uint64_t seed = 2;
    struct timers t = {0};
    struct timer *model[TIMERS_MAX];
    size_t count = 0;
    for (int n = 0; n < CHANGES; n++) {
        uint32_t what = random_below(&seed, 4), due = random_below(&seed, 40);
        if (what < 2 && count < TIMERS_MAX) {
            model[count] = timers_add(&t, due, 0, NULL);
            assert_non_null(model[count++]);
        } else if (what == 2 && count) {
            timers_move(&t, model[random_below(&seed, (uint32_t)count)], due);
        } else if (count) {
            uint32_t i = random_below(&seed, (uint32_t)count);
            assert_ptr_equal(timers_find(&t, model[i]->id), model[i]);
            timers_remove(&t, model[i]);
            model[i] = model[--count];
        }
        assert_int_equal(t.count, count);
        assert_ptr_equal(timers_first(&t), first_of(model, count));
        assert_heap_knows_its_places(&t);
    }
    timers_deinit(&t);
}

static void timers_are_unchanged_without_memory(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        struct timers t = {0};
        size_t added = 0;
        alloc_fail_at(n);
        while (added < TIMERS_MAX && timers_add(&t, 1, 0, NULL))
            added++;
        bool failed = alloc_has_failed();
        assert_int_equal(t.count, added);
        assert_int_equal(t.by_id.count, added);
        assert_int_equal(t.last_id, added);
        assert_null(timers_find(&t, added + 1));
        if (failed) { /* one failure is no end: the next one finds memory */
            assert_true(added < TIMERS_MAX);
            struct timer *next = timers_add(&t, 1, 0, NULL);
            assert_non_null(next);
            assert_int_equal(next->id, added + 1);
        }
        timers_deinit(&t);
        if (!failed)
            break;
        failures++;
    }
    alloc_fail_at(0);
    assert_true(failures > TIMERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_are_none_at_first),
        cmocka_unit_test(timers_add_keeps_what_it_was_given),
        cmocka_unit_test(timers_ids_are_never_used_again),
        cmocka_unit_test(timers_of_one_time_keep_the_order_of_adding),
        cmocka_unit_test(timers_agree_with_a_model_over_random_changes),
        cmocka_unit_test(timers_are_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
