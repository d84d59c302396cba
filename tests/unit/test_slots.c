/* slots: an id finds its owner until its slot is taken back, and never another. */
#include "room/slots.h"
#include "unit.h"

static void slots_find_who_has_the_id(void **state)
{
    (void)state;
    struct slots s;
    int ana, beto;
    slots_init(&s);
    uint64_t a = slots_give(&s, 3, &ana), b = slots_give(&s, 3, &beto);
    assert_ptr_equal(slots_find(&s, a), &ana);
    assert_ptr_equal(slots_find(&s, b), &beto);
    assert_int_equal(id_shard(a), 3);
    assert_null(slots_find(&s, 0));
    assert_null(slots_find(&s, id_make(3, 100, 1)));
    slots_deinit(&s);
}

static void slots_give_a_slot_away_with_another_id(void **state)
{
    (void)state;
    struct slots s;
    int ana, beto;
    slots_init(&s);
    uint64_t first = slots_give(&s, 0, &ana), again;
    slots_take_back(&s, first);
    assert_null(slots_find(&s, first));
    do
        again = slots_give(&s, 0, &beto);
    while (id_slot(again) != id_slot(first));
    assert_int_equal(id_slot(again), id_slot(first));
    assert_int_not_equal(again, first);
    assert_null(slots_find(&s, first));
    assert_ptr_equal(slots_find(&s, again), &beto);
    slots_deinit(&s);
}

static void slots_give_the_one_that_was_taken_back_longest_ago(void **state)
{
    (void)state;
    enum { ALL = 64 };
    struct slots s;
    int owner;
    uint64_t ids[ALL];
    slots_init(&s);
    for (int i = 0; i < ALL; i++)
        ids[i] = slots_give(&s, 0, &owner);
    assert_int_equal(s.cap, ALL);
    for (int i = ALL; i-- > 0;)
        slots_take_back(&s, ids[i]);
    for (int i = ALL; i-- > 0;)
        assert_int_equal(id_slot(slots_give(&s, 0, &owner)), id_slot(ids[i]));
    slots_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_find_who_has_the_id),
        cmocka_unit_test(slots_give_a_slot_away_with_another_id),
        cmocka_unit_test(slots_give_the_one_that_was_taken_back_longest_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
