/* roster: against lists in plain arrays, over random changes, commits and rollbacks. */
#include "random.h"
#include "room/roster.h"
#include "unit.h"

enum { CLIENTS = 6, ROOMS = 5, CHANGES = 60000 };

/* Who is where in what order, seen from both sides. */
struct order {
    uint32_t count;
    uint32_t at[CLIENTS > ROOMS ? CLIENTS : ROOMS];
};

struct model {
    struct order members[ROOMS], rooms[CLIENTS];
};

struct world {
    struct roster roster;
    struct roster_list clients[CLIENTS], rooms[ROOMS];
};

static void world_init(struct world *w)
{
    *w = (struct world){0};
}

/* Ends what it does by dropping whatever is left. */
static void world_deinit(struct world *w)
{
    roster_commit(&w->roster);
    for (int i = 0; i < CLIENTS; i++)
        while (w->clients[i].first)
            roster_drop(&w->roster, w->clients[i].first);
    for (int i = 0; i < ROOMS; i++) {
        assert_int_equal(w->rooms[i].first, 0);
        assert_int_equal(w->rooms[i].count, 0);
    }
    assert_null(w->roster.all);
    roster_deinit(&w->roster);
}

static bool order_has(const struct order *o, uint32_t x)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (o->at[i] == x)
            return true;
    return false;
}

static void order_take(struct order *o, uint32_t x)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < o->count; i++)
        if (o->at[i] != x)
            o->at[kept++] = o->at[i];
    o->count = kept;
}

static void model_join(struct model *m, uint32_t client, uint32_t room)
{
    m->members[room].at[m->members[room].count++] = client;
    m->rooms[client].at[m->rooms[client].count++] = room;
}

static void model_leave(struct model *m, uint32_t client, uint32_t room)
{
    order_take(&m->members[room], client);
    order_take(&m->rooms[client], room);
}

static void assert_agrees(struct world *w, const struct model *model)
{
    for (uint32_t r = 0; r < ROOMS; r++) {
        const struct order *wanted = &model->members[r];
        uint32_t i = 0;
        assert_int_equal(w->rooms[r].count, wanted->count);
        for (uint32_t m = w->rooms[r].first; m;
             m = roster_next(&w->roster, ROSTER_ROOM, m)) {
            assert_true(i < wanted->count);
            assert_ptr_equal(roster_list(&w->roster, ROSTER_CLIENT, m),
                             &w->clients[wanted->at[i++]]);
            assert_ptr_equal(roster_list(&w->roster, ROSTER_ROOM, m), &w->rooms[r]);
        }
        assert_int_equal(i, wanted->count);
    }
    for (uint32_t c = 0; c < CLIENTS; c++) {
        const struct order *wanted = &model->rooms[c];
        uint32_t i = 0;
        assert_int_equal(w->clients[c].count, wanted->count);
        for (uint32_t m = w->clients[c].first; m;
             m = roster_next(&w->roster, ROSTER_CLIENT, m)) {
            assert_true(i < wanted->count);
            assert_ptr_equal(roster_list(&w->roster, ROSTER_ROOM, m),
                             &w->rooms[wanted->at[i++]]);
        }
        assert_int_equal(i, wanted->count);
    }
}

static enum roster_result join(struct world *w, uint32_t client, uint32_t room)
{
    return roster_join(&w->roster, &w->clients[client], &w->rooms[room]);
}

static enum roster_result leave(struct world *w, uint32_t client, uint32_t room)
{
    return roster_leave(&w->roster, &w->clients[client], &w->rooms[room]);
}

static void roster_keeps_the_order_of_joining(void **state)
{
    (void)state;
    struct world w;
    struct model model = {0};
    world_init(&w);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        uint32_t client = (i * 5 + 2) % CLIENTS;
        assert_int_equal(join(&w, client, 1), ROSTER_OK);
        model_join(&model, client, 1);
    }
    assert_agrees(&w, &model);
    world_deinit(&w);
}

static void roster_joins_and_leaves_once(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_int_equal(leave(&w, 0, 0), ROSTER_ALREADY);
    assert_int_equal(join(&w, 0, 0), ROSTER_OK);
    assert_int_equal(join(&w, 0, 0), ROSTER_ALREADY);
    assert_int_equal(w.rooms[0].count, 1);
    assert_int_equal(leave(&w, 0, 0), ROSTER_OK);
    assert_int_equal(leave(&w, 0, 0), ROSTER_ALREADY);
    assert_int_equal(w.rooms[0].count, 0);
    world_deinit(&w);
}

static void roster_finds_members_only(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_int_equal(join(&w, 0, 0), ROSTER_OK);
    uint32_t m = roster_find(&w.roster, &w.clients[0], &w.rooms[0]);
    assert_int_not_equal(m, 0);
    assert_ptr_equal(roster_list(&w.roster, ROSTER_CLIENT, m), &w.clients[0]);
    assert_ptr_equal(roster_list(&w.roster, ROSTER_ROOM, m), &w.rooms[0]);
    assert_int_equal(roster_find(&w.roster, &w.clients[0], &w.rooms[1]), 0);
    assert_int_equal(roster_find(&w.roster, &w.clients[1], &w.rooms[0]), 0);
    world_deinit(&w);
}

/* One who leaves and joins again stands last; undone, he stands where he stood. */
static void roster_rollback_puts_back_between_the_same_neighbours(void **state)
{
    (void)state;
    struct world w;
    struct model model = {0};
    world_init(&w);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(join(&w, i, 0), ROSTER_OK);
        model_join(&model, i, 0);
    }
    roster_commit(&w.roster);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(leave(&w, i, 0), ROSTER_OK);
        assert_int_equal(join(&w, i, 0), ROSTER_OK);
    }
    assert_int_equal(leave(&w, 2, 0), ROSTER_OK);
    assert_int_equal(leave(&w, 1, 0), ROSTER_OK);
    roster_rollback(&w.roster);
    assert_agrees(&w, &model);
    world_deinit(&w);
}

static void roster_rollback_after_a_commit_changes_nothing(void **state)
{
    (void)state;
    struct world w;
    struct model model = {0};
    world_init(&w);
    assert_int_equal(join(&w, 0, 0), ROSTER_OK);
    model_join(&model, 0, 0);
    roster_commit(&w.roster);
    roster_rollback(&w.roster);
    roster_rollback(&w.roster);
    assert_agrees(&w, &model);
    world_deinit(&w);
}

static void roster_agrees_with_a_model_over_random_changes(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct world w;
    struct model now = {0}, committed = {0};
    world_init(&w);
    for (int n = 0; n < CHANGES; n++) {
        uint32_t client = random_below(&seed, CLIENTS), room = random_below(&seed, ROOMS);
        uint32_t what = random_below(&seed, 100);
        bool in = order_has(&now.members[room], client);
        if (what < 46) {
            assert_int_equal(join(&w, client, room), in ? ROSTER_ALREADY : ROSTER_OK);
            if (!in)
                model_join(&now, client, room);
        } else if (what < 90) {
            assert_int_equal(leave(&w, client, room), in ? ROSTER_OK : ROSTER_ALREADY);
            model_leave(&now, client, room);
        } else if (what < 95) {
            roster_rollback(&w.roster);
            now = committed;
        } else {
            roster_commit(&w.roster);
            committed = now;
            uint32_t m = roster_find(&w.roster, &w.clients[client], &w.rooms[room]);
            if (what == 99 && m) {
                roster_drop(&w.roster, m);
                model_leave(&now, client, room);
                committed = now;
            }
        }
        assert_agrees(&w, &now);
        assert_int_equal(roster_find(&w.roster, &w.clients[client], &w.rooms[room]) != 0,
                         order_has(&now.members[room], client));
    }
    world_deinit(&w);
}

/* A long run of joins and leaves, of which some find no memory; then all is undone. */
static void roster_is_unchanged_without_memory(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        struct world w;
        struct model before = {0}, now;
        world_init(&w);
        assert_int_equal(join(&w, 0, 0), ROSTER_OK);
        model_join(&before, 0, 0);
        roster_commit(&w.roster);
        now = before;
        size_t refused = 0;
        alloc_fail_at(n);
        for (uint32_t i = 0; i < 4 * CLIENTS * ROOMS; i++) {
            uint32_t client = i % CLIENTS, room = i / 2 % ROOMS;
            bool in = order_has(&now.members[room], client);
            enum roster_result result =
                in ? leave(&w, client, room) : join(&w, client, room);
            refused += result == ROSTER_NO_MEMORY;
            if (result == ROSTER_OK && in)
                model_leave(&now, client, room);
            else if (result == ROSTER_OK)
                model_join(&now, client, room);
            assert_agrees(&w, &now);
        }
        bool failed = alloc_has_failed();
        alloc_fail_at(0);
        assert_int_equal(refused, failed ? 1 : 0);
        roster_rollback(&w.roster);
        assert_agrees(&w, &before);
        world_deinit(&w);
        if (!failed)
            break;
        failures++;
    }
    assert_true(failures > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roster_keeps_the_order_of_joining),
        cmocka_unit_test(roster_joins_and_leaves_once),
        cmocka_unit_test(roster_finds_members_only),
        cmocka_unit_test(roster_rollback_puts_back_between_the_same_neighbours),
        cmocka_unit_test(roster_rollback_after_a_commit_changes_nothing),
        cmocka_unit_test(roster_agrees_with_a_model_over_random_changes),
        cmocka_unit_test(roster_is_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
