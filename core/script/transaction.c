/* transaction: what a handler did, for good or as if it had never been. */
#include "script/transaction.h"

#include "script/host_state.h"

#include <string.h>

void transaction_drop_timer(struct host *h, struct timer *t)
{
    lua_State *L = h->vm.L;
    host_push(L, KEY_TIMERS);
    if (lua_rawgeti(L, -1, (lua_Integer)t->id) != LUA_TNIL) {
        lua_pushnil(L);
        lua_rawseti(L, -3, (lua_Integer)t->id); /* an existing key: allocates nothing */
    }
    lua_pop(L, 2);
    timers_remove(&h->timers, t);
}

/* The timers that the handler added and cancelled: for good, or as if never. */
static void settle_timers(struct host *h, bool commit)
{
    size_t n = h->cancelled.len / sizeof(uint64_t);
    for (size_t i = 0; i < n; i++) {
        uint64_t id;
        memcpy(&id, h->cancelled.at + i * sizeof id, sizeof id);
        struct timer *t = timers_find(&h->timers, id);
        if (t && commit)
            transaction_drop_timer(h, t);
        else if (t)
            t->cancelled = false;
    }
    h->cancelled.len = 0;
    for (uint64_t id = h->timers.last_id; !commit && id > h->timers_committed; id--) {
        struct timer *t = timers_find(&h->timers, id);
        if (t)
            transaction_drop_timer(h, t);
    }
    h->timers_committed = h->timers.last_id;
}

void transaction_commit(struct host *h)
{
    world_commit(&h->world);
    settle_timers(h, true);
    if (h->fetches.buf.len)
        (void)mailbox_post(h->setup.services, &h->fetches);
}

void transaction_rollback(struct host *h)
{
    world_rollback(&h->world);
    settle_timers(h, false);
    h->fetches.buf.len = 0;
}
