/* reload: the rules from their file into force: in a scratch state first, then in the
 * live one. */
#include "script/reload.h"

#include "script/app.h"
#include "script/builtins.h"
#include "script/route.h"
#include "script/run.h"
#include "script/transaction.h"
#include "lua/stall_log.h"

#include <lauxlib.h>
#include <stdio.h>

enum { LOAD_SECONDS = 2 }; /* of the thread's own time */

/* Functions given to timers belong to the rules that gave them, and so do timers made at
 * load; names that a handler gave stay. */
static void drop_timers_of_old_rules(lua_State *L, struct host *h, uint64_t last)
{
    host_push(L, KEY_TIMERS);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        uint64_t id = (uint64_t)lua_tointeger(L, -2);
        struct timer *t = id <= last ? timers_find(&h->timers, id) : NULL;
        bool is_function = lua_rawgeti(L, -1, 1) == LUA_TFUNCTION;
        lua_pop(L, 1);
        if (t && (is_function || t->at_load))
            transaction_drop_timer(h, t); /* assigns nil, which lua_next allows */
    }
    lua_pop(L, 1);
}

/* Under protection: loads; a scratch host runs the selftest, the live one swaps. */
static int load(lua_State *L)
{
    struct host *h = lua_touserdata(L, 1);
    uint64_t last = h->timers.last_id;
    builtins_push(L);
    app_load(L, h, -1);
    app_protocols(L, h);
    route_load(L, h);
    if (h->vm.budget.expired)
        luaL_error(L, "out of time: loading took more than %d seconds", LOAD_SECONDS);
    app_migrate(L);
    if (h->vm.budget.expired)
        luaL_error(L, "out of time: migrate took more than %d seconds", LOAD_SECONDS);
    if (!h->is_scratch) /* from here on nothing fails */
        drop_timers_of_old_rules(L, h, last);
    app_swap(L);
    if (!h->is_scratch)
        return 0;
    stall_log_name(h->setup.stall_log, "selftest");
    app_push(L, NULL, "selftest");
    if (lua_isfunction(L, -1))
        lua_call(L, 0, 0);
    if (h->vm.budget.expired)
        luaL_error(L, "out of time: loading took more than %d seconds", LOAD_SECONDS);
    return 0;
}

static int load_in(struct host *h, char error[VM_ERROR_SIZE])
{
    vm_budget_begin(&h->vm, LOAD_SECONDS);
    stall_log_begin(h->setup.stall_log, "load", 0);
    int result = vm_call(&h->vm, load, h, error);
    stall_log_end(h->setup.stall_log);
    vm_budget_end(&h->vm);
    if (result < 0)
        transaction_rollback(h);
    else
        transaction_commit(h);
    return result;
}

int reload_try(struct host *h, char error[VM_ERROR_SIZE])
{
    h->is_scratch = true;
    return load_in(h, error);
}

static int load_in_scratch(struct host *live, char error[VM_ERROR_SIZE])
{
    static const struct log silent;
    struct host_setup setup = live->setup;
    setup.log = &silent;
    setup.inbox = setup.shards = NULL;
    setup.shard_count = 0;
    struct host *scratch = host_new(&setup);
    if (!scratch) {
        snprintf(error, VM_ERROR_SIZE, "not enough memory");
        return -1;
    }
    scratch->source = live->source;
    scratch->now = live->now;
    scratch->wall = live->wall;
    int result = reload_try(scratch, error);
    if (result < 0 &&
        scratch->loader.count > 0) { /* saving any file that it tried is worth a look */
        struct loader tried = scratch->loader;
        scratch->loader = live->loader;
        live->loader = tried;
    }
    host_free(scratch);
    return result;
}

static void log_loaded(struct host *h, bool again)
{
    char changes[512] = "";
    if (again)
        loader_describe(&h->in_force, &h->loader, changes, sizeof changes);
    log_info(h->setup.log, "rules %s script=%s%s%s", again ? "reloaded" : "loaded",
             h->setup.script, changes, again && !*changes ? " changed=none" : "");
    loader_keep(&h->in_force, &h->loader);
}

int host_load(struct host *h)
{
    char error[VM_ERROR_SIZE];
    bool again = h->is_loaded;
    if (load_in_scratch(h, error) < 0 || load_in(h, error) < 0) {
        stats_add(&h->setup.stats->reload_errors, again);
        log_error(h->setup.log, "%s script=%s: %s",
                  again ? "rules not reloaded, the old ones stay in force"
                        : "rules not loaded",
                  h->setup.script, error);
        return -1;
    }
    h->is_loaded = true;
    world_post(&h->world); /* the shards know the subprotocols before anyone comes */
    stats_add(&h->setup.stats->reloads, again);
    log_loaded(h, again);
    (void)run_event(h, again ? "on_reload" : "on_start");
    world_post(&h->world);
    return 0;
}

int host_load_text(struct host *h, struct bytes source)
{
    h->source = source;
    int result = host_load(h);
    h->source = (struct bytes){0};
    return result;
}
