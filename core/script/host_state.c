/* host_state: the host from nothing and back. */
#include "script/host_state.h"

#include "script/builtins.h"
#include "script/objects.h"
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <stdlib.h>

static void on_room_gone(void *ctx, struct room *room)
{
    struct host *h = ctx;
    room_forget(h->vm.L, room);
}

/* Sets registry table `name`, with weak values if `mode` says so. */
static void new_table(lua_State *L, enum host_key_name name, const char *mode)
{
    lua_newtable(L);
    if (mode) {
        lua_newtable(L);
        lua_pushstring(L, mode);
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
    }
    host_set(L, name);
}

/* Under protection: the registry as host_state.h has it. */
static int set_up(lua_State *L)
{
    builtins_register(L);
    new_table(L, KEY_CLIENTS, NULL);
    new_table(L, KEY_ROOMS, "v");
    new_table(L, KEY_ANCHORS, NULL);
    new_table(L, KEY_TIMERS, NULL);
    new_table(L, KEY_TASKS, NULL);
    new_table(L, KEY_STATE, NULL);
    if (host_of(L)->setup.seed)
        sandbox_seed(L, (lua_Integer)host_of(L)->setup.seed);
    builtins_push_json(L);
    lua_getfield(L, -1, "decode");
    host_set(L, KEY_DECODE);
    return 0;
}

struct host *host_new(const struct host_setup *setup)
{
    struct world_limits limits = {setup->rooms_max, setup->rooms_per_client};
    char error[VM_ERROR_SIZE];
    struct host *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->setup = *setup;
    h->now = setup->now;
    h->wall = setup->wall;
    quota_init(&h->unlimited, SIZE_MAX, 1);
    h->held.sum = setup->held ? setup->held : &h->unlimited;
    list_init(&h->ready);
    list_init(&h->overdue);
    list_init(&h->idle_tasks);
    if (world_init(&h->world, setup->shards, setup->shard_count, &limits) < 0 ||
        sandbox_open(&h->vm, setup->memory_max, h) < 0 ||
        vm_call(&h->vm, set_up, NULL, error) < 0) {
        host_free(h);
        return NULL;
    }
    h->vm.now = &h->wall;
    h->loader.trusted = setup->trusted;
    h->world.on_room_gone = on_room_gone;
    h->world.ctx = h;
    return h;
}

void host_free(struct host *h)
{
    if (!h)
        return;
    vm_close(&h->vm);
    h->world.on_room_gone = NULL;
    world_deinit(&h->world);
    timers_deinit(&h->timers);
    size_t at = 0;
    for (struct asked *a; (a = map_next(&h->asked, &at));)
        free(a);
    map_deinit(&h->asked);
    loader_deinit(&h->loader);
    loader_deinit(&h->in_force);
    buf_deinit(&h->mail.buf);
    buf_deinit(&h->text);
    buf_deinit(&h->cancelled);
    buf_deinit(&h->fetches.buf);
    free(h);
}
