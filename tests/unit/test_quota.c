/* quota: the sum holds, whoever draws on it, and is whole again in the end. */
#include "base/quota.h"
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

static int64_t left(struct quota *q)
{
    return atomic_load(&q->left);
}

static void quota_of_one_share_is_had_to_the_last_byte(void **state)
{
    (void)state;
    struct quota q;
    quota_init(&q, 1000, 1);
    struct quota_share s = {.sum = &q};
    for (int i = 0; i < 1000; i++) {
        assert_true(quota_has(&s, 1));
        quota_take(&s, 1);
    }
    assert_false(quota_has(&s, 1));
    assert_true(quota_has(&s, 0));
    quota_give(&s, 1);
    assert_true(quota_has(&s, 1));
    assert_false(quota_has(&s, 2));
}

static void quota_denies_what_is_larger_than_all_of_it(void **state)
{
    (void)state;
    struct quota q;
    quota_init(&q, 1000, 1);
    struct quota_share s = {.sum = &q};
    assert_false(quota_has(&s, 1001));
    assert_false(quota_has(&s, SIZE_MAX));
    assert_true(quota_has(&s, 1000));
}

static void quota_of_many_shares_goes_to_the_one_that_needs_it(void **state)
{
    (void)state;
    enum { SHARES = 256, MAX = 64 * 1024 };
    struct quota q;
    quota_init(&q, MAX, SHARES);
    struct quota_share s[SHARES];
    for (int i = 0; i < SHARES; i++)
        s[i] = (struct quota_share){.sum = &q};
    assert_true(quota_has(&s[7], MAX));
    quota_take(&s[7], MAX);
    assert_false(quota_has(&s[8], 1));
    quota_give(&s[7], MAX);
    assert_int_equal(left(&q), MAX);
    assert_true(quota_has(&s[8], MAX));
}

static void quota_is_withheld_by_others_to_a_quarter_at_most(void **state)
{
    (void)state;
    enum { SHARES = 12, MAX = 4 << 20 };
    struct quota q;
    quota_init(&q, MAX, SHARES);
    struct quota_share s[SHARES];
    for (int i = 0; i < SHARES; i++) {
        s[i] = (struct quota_share){.sum = &q};
        quota_take(&s[i], 100 * 1024); /* a busy one, whose queues come and go */
        quota_give(&s[i], 100 * 1024 - 1);
    }
    assert_true(quota_has(&s[0], MAX / 4 * 3 - SHARES));
}

static void quota_taken_without_asking_is_paid_back_first(void **state)
{
    (void)state;
    struct quota q;
    quota_init(&q, 1000, 2);
    struct quota_share a = {.sum = &q}, b = {.sum = &q};
    quota_take(&a, 1100);
    assert_false(quota_has(&b, 1));
    quota_give(&a, 100);
    assert_false(quota_has(&b, 1));
    quota_give(&a, 1);
    quota_give(&a, 999);
    assert_int_equal(left(&q), 1000);
    assert_true(quota_has(&b, 1000));
}

enum { THREADS = 4, ROUNDS = 20000, SUM = 100000, HELD = 64 };

struct drawer {
    struct quota *q;
    atomic_int_fast64_t *taken; /* by all threads */
    unsigned seed;
    bool over; /* more than the sum was taken */
};

static void *draw(void *arg)
{
    struct drawer *d = arg;
    struct quota_share s = {.sum = d->q};
    size_t held[HELD] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        size_t *slot = &held[rand_r(&d->seed) % HELD];
        atomic_fetch_sub(d->taken, (int64_t)*slot);
        quota_give(&s, *slot);
        *slot = (size_t)(rand_r(&d->seed) % 5000);
        if (!quota_has(&s, *slot)) {
            *slot = 0;
            continue;
        }
        quota_take(&s, *slot);
        d->over |= atomic_fetch_add(d->taken, (int64_t)*slot) + (int64_t)*slot > SUM;
    }
    for (int i = 0; i < HELD; i++) {
        atomic_fetch_sub(d->taken, (int64_t)held[i]);
        quota_give(&s, held[i]);
    }
    return NULL;
}

static void quota_holds_while_threads_draw_on_it_and_is_whole_in_the_end(void **state)
{
    (void)state;
    struct quota q;
    atomic_int_fast64_t taken = 0;
    pthread_t threads[THREADS];
    struct drawer drawers[THREADS];
    quota_init(&q, SUM, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        drawers[i] = (struct drawer){&q, &taken, i, false};
        assert_int_equal(pthread_create(&threads[i], NULL, draw, &drawers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(drawers[i].over);
    }
    assert_int_equal(left(&q), SUM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota_of_one_share_is_had_to_the_last_byte),
        cmocka_unit_test(quota_denies_what_is_larger_than_all_of_it),
        cmocka_unit_test(quota_of_many_shares_goes_to_the_one_that_needs_it),
        cmocka_unit_test(quota_is_withheld_by_others_to_a_quarter_at_most),
        cmocka_unit_test(quota_taken_without_asking_is_paid_back_first),
        cmocka_unit_test(quota_holds_while_threads_draw_on_it_and_is_whole_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
