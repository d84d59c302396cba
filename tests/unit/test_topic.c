/* topic: against a table of who is where, over random changes. */
#include "random.h"
#include "room/topic.h"
#include "unit.h"

enum { ROOMS = 7, SLOTS = 24, CHANGES = 30000 };

/* Rooms have ids of any size, slots lie apart. */
static uint64_t room_id(uint32_t room)
{
    return room * 0x100000001U + 1;
}

static uint32_t slot_of(uint32_t i)
{
    return i * i * 3;
}

struct model {
    bool in[ROOMS][SLOTS];
};

/* The `i`th member of `room`; false when there is none. */
static bool member(const struct topics *t, uint64_t room, uint32_t i, uint32_t *slot)
{
    const struct topic *topic = topic_find(t, room);
    if (!topic || i >= topic->count)
        return false;
    *slot = topic_member(topic, i);
    return true;
}

/* Of the members of `room`, those that are in another one, too. */
static uint32_t shared_members(const struct model *model, uint32_t room)
{
    uint32_t shared = 0;
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t rooms = 0;
        for (uint32_t r = 0; r < ROOMS; r++)
            rooms += model->in[r][i];
        shared += model->in[room][i] && rooms > 1;
    }
    return shared;
}

static void assert_agrees(const struct topics *t, const struct model *model)
{
    size_t rooms = 0;
    for (uint32_t room = 0; room < ROOMS; room++) {
        bool seen[SLOTS] = {false};
        uint32_t slot, count = 0, wanted = 0;
        while (member(t, room_id(room), count, &slot)) {
            uint32_t i = 0;
            while (i < SLOTS && slot_of(i) != slot)
                i++;
            assert_true(i < SLOTS);
            assert_true(model->in[room][i]);
            assert_false(seen[i]);
            seen[i] = true;
            count++;
        }
        for (uint32_t i = 0; i < SLOTS; i++)
            wanted += model->in[room][i];
        assert_int_equal(count, wanted);
        if (wanted)
            assert_int_equal(topic_find(t, room_id(room))->shared,
                             shared_members(model, room));
        rooms += wanted > 0;
    }
    assert_int_equal(t->by_room.count, rooms); /* an empty room costs nothing */
}

static void topic_is_empty_at_first(void **state)
{
    (void)state;
    struct topics t;
    topics_init(&t);
    uint32_t slot = 99;
    assert_false(member(&t, 1, 0, &slot));
    assert_int_equal(slot, 99);
    topic_remove(&t, 1, 5);
    topic_remove_all(&t, 5);
    topics_deinit(&t);
}

static void topic_adds_a_slot_once(void **state)
{
    (void)state;
    struct topics t;
    topics_init(&t);
    uint32_t slot = 99;
    assert_int_equal(topic_add(&t, 8, 5), 0);
    assert_int_equal(topic_add(&t, 8, 5), 0);
    assert_true(member(&t, 8, 0, &slot));
    assert_int_equal(slot, 5);
    assert_false(member(&t, 8, 1, &slot));
    topics_deinit(&t);
}

static void topic_removes_from_one_room_only(void **state)
{
    (void)state;
    struct topics t;
    topics_init(&t);
    uint32_t slot;
    assert_int_equal(topic_add(&t, 8, 5), 0);
    assert_int_equal(topic_add(&t, 9, 5), 0);
    topic_remove(&t, 8, 5);
    topic_remove(&t, 8, 5);
    assert_false(member(&t, 8, 0, &slot));
    assert_true(member(&t, 9, 0, &slot));
    topics_deinit(&t);
}

static void topic_removes_from_every_room(void **state)
{
    (void)state;
    struct topics t;
    topics_init(&t);
    uint32_t slot;
    for (uint64_t room = 0; room < 20; room++) {
        assert_int_equal(topic_add(&t, room, 5), 0);
        assert_int_equal(topic_add(&t, room, 6), 0);
    }
    topic_remove_all(&t, 5);
    for (uint64_t room = 0; room < 20; room++) {
        assert_true(member(&t, room, 0, &slot));
        assert_int_equal(slot, 6);
        assert_false(member(&t, room, 1, &slot));
    }
    topics_deinit(&t);
}

static void topic_agrees_with_a_model_over_random_changes(void **state)
{
    (void)state;
    uint64_t seed = 4;
    struct topics t;
    topics_init(&t);
    struct model model = {{{false}}};
    for (uint32_t n = 0; n < CHANGES; n++) {
        uint32_t room = random_below(&seed, ROOMS), i = random_below(&seed, SLOTS);
        uint32_t what = random_below(&seed, 16);
        if (what < (n / 500 % 2 ? 5U : 10U)) {
            assert_int_equal(topic_add(&t, room_id(room), slot_of(i)), 0);
            model.in[room][i] = true;
        } else if (what < 15) {
            topic_remove(&t, room_id(room), slot_of(i));
            model.in[room][i] = false;
        } else {
            topic_remove_all(&t, slot_of(i));
            for (room = 0; room < ROOMS; room++)
                model.in[room][i] = false;
        }
        assert_agrees(&t, &model);
    }
    topics_deinit(&t);
}

/* Adds everyone to every room; what failed is tried again at the end. */
static void topic_is_unchanged_without_memory(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        struct topics t;
        topics_init(&t);
        struct model model = {{{false}}};
        alloc_fail_at(n);
        for (uint32_t i = 0; i < SLOTS; i++)
            for (uint32_t room = 0; room < ROOMS; room++) {
                model.in[room][i] = topic_add(&t, room_id(room), slot_of(i)) == 0;
                assert_agrees(&t, &model);
            }
        bool failed = alloc_has_failed();
        for (uint32_t i = 0; i < SLOTS; i++)
            for (uint32_t room = 0; room < ROOMS; room++) {
                failures += !model.in[room][i];
                assert_int_equal(topic_add(&t, room_id(room), slot_of(i)), 0);
                model.in[room][i] = true;
            }
        assert_agrees(&t, &model);
        topics_deinit(&t);
        if (!failed)
            break;
        assert_int_equal(failures, n); /* each costs one addition and no more */
    }
    alloc_fail_at(0);
    assert_true(failures > SLOTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topic_is_empty_at_first),
        cmocka_unit_test(topic_adds_a_slot_once),
        cmocka_unit_test(topic_removes_from_one_room_only),
        cmocka_unit_test(topic_removes_from_every_room),
        cmocka_unit_test(topic_agrees_with_a_model_over_random_changes),
        cmocka_unit_test(topic_is_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
