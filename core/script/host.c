/* host: which handler runs next: mail and timers to runs, a client's messages one at a
 * time. A little longer than other files: it also holds what every api_*.c shares. */
#include "script/host.h"

#include "base/clock.h"
#include "lua/json.h"
#include "script/reload.h"
#include "script/route.h"
#include "script/run.h"
#include "lua/sandbox.h"
#include "wire/close.h"
#include "wire/utf8.h"

#include <lauxlib.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    MAILS_A_TURN =
        64, /* then the shards get to work, and timers and sockets have their turn */
    CROWD = 1000, /* clients */
    PENDING_MAX_BYTES =
        256 * 1024, /* of one client whose handler waits; then it is paused */
};

static const double RETRY_SECONDS = 0.1;

const char host_keys[KEY_COUNT];

/* --- what api_*.c share -------------------------------------------------- */

void host_new_type(lua_State *L, const char *type, const luaL_Reg *methods,
                   lua_CFunction index, lua_CFunction newindex)
{
    luaL_newmetatable(L, type);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushcclosure(L, index, 1);
    lua_setfield(L, -2, "__index");
    if (newindex) {
        lua_pushcfunction(L, newindex);
        lua_setfield(L, -2, "__newindex");
    }
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void host_limit(struct host *h, enum limit which, const struct client *c)
{
    limit_reached(h->setup.stats->limits, which, c ? &c->addr : NULL, clock_ms(),
                  h->setup.log);
}

int host_push_result(lua_State *L, enum world_result result, const char *full)
{
    switch (result) {
    case WORLD_OK:
    case WORLD_ALREADY:
        lua_pushboolean(L, 1);
        return 1;
    case WORLD_FULL:
        lua_pushnil(L);
        lua_pushstring(L, full);
        return 2;
    case WORLD_NO_MEMORY:
        break;
    }
    return luaL_error(L, "not enough memory");
}

struct outframe *host_frame_new(lua_State *L, enum ws_opcode op, struct bytes payload)
{
    struct host *h = host_of(L);
    vm_work(&h->vm, L, 100 + payload.len / 4);
    if (payload.len > h->setup.frame_max)
        luaL_error(
            L, "%I bytes are too large to send: a client's queue holds %I (--max-queue)",
            (LUAI_UACINT)payload.len, (LUAI_UACINT)h->setup.frame_max);
    struct outframe *f = outframe_new(op, payload);
    if (!f)
        luaL_error(L, "not enough memory");
    return f;
}

struct outframe *host_frame(lua_State *L, int index)
{
    struct host *h = host_of(L);
    struct bytes payload = json_text(L, index);
    if (lua_type(L, index) == LUA_TSTRING) {
        payload.at = (const uint8_t *)lua_tolstring(L, index, &payload.len);
        if (!utf8_is_valid(payload))
            luaL_argerror(L, index, "a text is UTF-8; send_binary takes any bytes");
    } else if (!payload.at) {
        luaL_argcheck(L, lua_istable(L, index), index,
                      "a table, a chat.object or a string of JSON");
        h->text.len = 0;
        json_encode(L, index, &h->text, h->setup.frame_max);
        payload = buf_bytes(&h->text);
    }
    return host_frame_new(L, WS_TEXT, payload);
}

void host_check_fields(lua_State *L, int index, const char *who, const char *const *names)
{
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        int i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (names[i])
            continue;
        lua_pushstring(L, names[0]);
        for (i = 1; names[i]; i++)
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), names[i]);
        luaL_error(L, "%s takes no '%s'; there are %s", who, name, lua_tostring(L, -1));
    }
}

bool host_may_wait(lua_State *L, const char *who)
{
    struct host *h = host_of(L);
    if (!h->current || h->current->co != L)
        luaL_error(
            L, "%s works in a handler only, not at load or in a coroutine of yours", who);
    if (!lua_isyieldable(L))
        luaL_error(L, "%s can't wait here: a C function (like table.sort) is calling",
                   who);
    struct client *c =
        h->current->client ? world_client(&h->world, h->current->client) : NULL;
    bool is_client_gone = c && c->gone && h->current->kind != RUN_CLOSE;
    if (!is_client_gone && !(h->current->asked && h->current->asked->gone))
        return true;
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return false;
}

struct timer *host_begin_wait(lua_State *L, double seconds)
{
    struct host *h = host_of(L);
    h->current->wait = timers_add(&h->timers, h->now + seconds, 0, h->current);
    if (!h->current->wait)
        luaL_error(L, "not enough memory");
    return h->current->wait;
}

/* --- mail ---------------------------------------------------------------- */

static void remove_client(struct host *h, struct client *c)
{
    client_forget(h->vm.L, c);
    world_remove_client(&h->world, c);
    world_commit(&h->world);
}

static void run_pending(struct host *h, struct client *c);

/* Runs a handler; when it has ended, what its client was waiting for goes on. The client
 * may be gone afterwards. */
static void run(struct host *h, struct run *r)
{
    struct client *c = r->client;
    bool ended = run_handler(h, r);
    if (r->asked && ended)
        route_end(h, r->asked);
    else if (r->asked)
        r->asked->task = r->task;
    if (!c)
        return;
    bool waited = c->task != NULL;
    c->task = ended ? NULL : r->task;
    if (ended && r->handler == RUN_CLOSE)
        remove_client(h, c);
    else if (ended && waited)
        run_pending(h, c);
}

static void handle_close(struct host *h, struct client *c, struct bytes reason)
{
    struct run r = {
        .kind = RUN_CLOSE, .client = c, .data = reason, .code = c->close_code};
    if (c->refused)
        remove_client(h, c);
    else
        run(h, &r);
}

/* Handles one mail of a client whose handler does not wait; `c` may be gone afterwards.
 */
static void handle(struct host *h, struct client *c, const struct mail *m)
{
    struct run r = {.kind = RUN_OPEN, .client = c, .data = mail_bytes(m)};
    if (m->kind == MAIL_CLOSED) {
        handle_close(h, c, mail_bytes(m));
        return;
    }
    if (m->kind == MAIL_OPEN) {
        r.head_len = m->open.head_len;
        r.subject_len = m->open.subject_len;
    } else {
        r.kind = RUN_MESSAGE;
        r.binary = m->binary;
        if (c->refused || atomic_load(h->setup.is_draining))
            return; /* nobody would hear the answer */
    }
    run(h, &r);
}

/* Wakes the handler that waits, with or without its client, with or without an answer. */
static void wake_task(struct host *h, struct task *task, const struct mail *answer)
{
    struct run r = {.kind = RUN_RESUME,
                    .client = task->client ? world_client(&h->world, task->client) : NULL,
                    .asked = task->asked,
                    .task = task,
                    .answer = answer};
    if ((r.client && r.client->gone && task->kind != RUN_CLOSE) ||
        (r.asked && r.asked->gone))
        r.nothing = "closed";
    else if (task->is_asking && !answer)
        r.nothing = "timeout";
    run_end_wait(h, task, !answer);
    run(h, &r);
}

/* Keeps the mail of a client whose handler waits. */
static void put_off(struct host *h, struct client *c, const struct mail *m)
{
    struct client_extras *x = client_extras(c);
    if ((!x || batch_add(&x->pending, m, mail_bytes(m)) < 0) && m->kind == MAIL_MESSAGE)
        run_send_error(h, c, "internal");
    if (x && x->pending.buf.len > PENDING_MAX_BYTES && !c->paused &&
        world_pause(&h->world, c, true) == WORLD_OK)
        world_commit(&h->world);
    if (c->gone && c->task->kind != RUN_CLOSE)
        wake_task(h, c->task, NULL);
}

static void handle_or_put_off(struct host *h, struct client *c, const struct mail *m)
{
    if (m->kind == MAIL_CLOSED) {
        c->gone = true;
        c->close_code = m->code;
    }
    if (c->task)
        put_off(h, c, m);
    else
        handle(h, c, m);
}

/* The handler that waited has ended: its client's mail goes on. */
static void run_pending(struct host *h, struct client *c)
{
    struct batch mine = {0};
    uint64_t id = c->id;
    size_t at = 0;
    if (c->extras) {
        mine = c->extras->pending;
        c->extras->pending = (struct batch){0};
    }
    if (c->paused && world_pause(&h->world, c, false) == WORLD_OK)
        world_commit(&h->world);
    for (struct mail *m; (m = batch_next(&mine, &at)) && world_client(&h->world, id);)
        handle_or_put_off(h, c, m);
    buf_deinit(&mine.buf);
    /* Memory was too short to keep its end: it ends all the same. */
    c = world_client(&h->world, id);
    if (c && c->gone && !c->task)
        handle_close(h, c, (struct bytes){0});
}

static void open_client(struct host *h, const struct mail *m)
{
    struct client *c = world_add_client(&h->world, m->id);
    if (!c) {
        (void)world_close(&h->world, m->id, WS_CLOSE_TRY_LATER,
                          bytes_of("out of memory"));
        world_commit(&h->world);
        return;
    }
    c->addr = m->open.addr;
    c->secure = m->open.secure;
    struct bytes protocol =
        bytes_skip(mail_bytes(m), (size_t)m->open.head_len + m->open.subject_len);
    if (protocol.len && client_extras(c))
        c->extras->protocol = strndup((const char *)protocol.at, protocol.len);
    handle(h, c, m);
}

static void open_request(struct host *h, const struct mail *m)
{
    struct run r;
    if (route_begin(h, m, &r))
        run(h, &r);
}

/* MAIL_GIVEN_UP: nobody waits for the response. */
static void give_up_request(struct host *h, uint64_t id)
{
    struct asked *a = map_get(&h->asked, id);
    if (!a)
        return;
    a->gone = true;
    if (a->task)
        wake_task(h, a->task, NULL);
}

/* MAIL_POST: the embedding program says something in a room. */
static void post_to_room(struct host *h, const struct mail *m)
{
    struct bytes name = {mail_bytes(m).at, m->name_len};
    struct room *room = world_room(&h->world, name);
    struct bytes text = bytes_skip(mail_bytes(m), m->name_len);
    struct outframe *f =
        room && text.len <= h->setup.frame_max ? outframe_new(WS_TEXT, text) : NULL;
    if (f)
        (void)world_broadcast(&h->world, room, 0, f);
    outframe_unref(f);
    world_commit(&h->world);
}

static void handle_mail(struct host *h, const struct mail *m)
{
    struct client *c;
    struct timer *t;
    switch (m->kind) {
    case MAIL_OPEN:
        open_client(h, m);
        break;
    case MAIL_MESSAGE:
    case MAIL_CLOSED:
        c = world_client(&h->world, m->id);
        if (c)
            handle_or_put_off(h, c, m);
        break;
    case MAIL_REQUEST:
        open_request(h, m);
        break;
    case MAIL_GIVEN_UP:
        give_up_request(h, m->id);
        break;
    case MAIL_DRAINED:
        h->drained_shards++;
        break;
    case MAIL_RELOAD:
        (void)host_load(h);
        break;
    case MAIL_POST:
        post_to_room(h, m);
        break;
    case MAIL_DRAIN:
        run_event(h, "on_stop");
        (void)world_drain(&h->world);
        world_commit(&h->world);
        break;
    case MAIL_FETCHED: /* unless it comes too late */
        t = timers_find(&h->timers, m->id);
        if (t && t->owner)
            wake_task(h, t->owner, m);
        break;
    case MAIL_FETCH:
    case MAIL_FETCH_CANCEL:
    case MAIL_SEND:
    case MAIL_BROADCAST:
    case MAIL_JOIN:
    case MAIL_LEAVE:
    case MAIL_CLOSE:
    case MAIL_ADMIT:
    case MAIL_PAUSE:
    case MAIL_RESUME:
    case MAIL_PROTOCOLS:
    case MAIL_RESPONSE:
    case MAIL_ROUTES:
    case MAIL_ACCEPT:
    case MAIL_ABORT:
        break; /* the business of others: never sent here */
    }
}

/* Whom memory was too short to answer is closed as soon as there is enough for that:
 * nobody is left to wait for what does not come. */
static void close_unanswered(struct host *h)
{
    uint32_t at = 0;
    h->owes = false;
    for (struct client *c; (c = world_next_client(&h->world, &at));) {
        if (c->unanswered && !c->gone) {
            c->unanswered = world_close(&h->world, c->id, WS_CLOSE_INTERNAL,
                                        bytes_of("out of memory")) != WORLD_OK;
            h->owes |= c->unanswered;
        }
    }
    world_commit(&h->world);
    route_fail_again(h);
}

static void fire(struct host *h, struct timer *t)
{
    struct run r = {.kind = RUN_TIMER, .timer = t->id};
    if (t->owner) {
        wake_task(h, t->owner, NULL);
        return;
    }
    double next = t->due + t->period;
    timers_move(&h->timers, t, next > h->now ? next : h->now + t->period);
    t->fired = t->period == 0;
    run(h, &r);
    t = timers_find(&h->timers, r.timer);
    if (t && t->fired)
        run_drop_timer(h, t);
}

static void fire_due(struct host *h)
{
    uint64_t last = h->timers.last_id; /* what handlers add now is for the next turn */
    for (struct timer *t;
         (t = timers_first(&h->timers)) && t->due <= h->now && t->id <= last;)
        fire(h, t);
}

/* Gives the memory of a crowd that has left back to the system, once nothing else is to
 * be done: the C library would keep the pages. */
static void give_back(struct host *h)
{
    size_t clients = h->world.client_count;
    h->peak = clients > h->peak ? clients : h->peak;
    if (h->peak < CROWD || clients > h->peak / 4)
        return;
    h->peak = clients;
    lua_gc(h->vm.L, LUA_GCCOLLECT);
    malloc_trim(0);
}

bool host_turn(struct host *h, double now)
{
    h->now = now;
    if (h->owes)
        close_unanswered(h);
    fire_due(h);
    for (int n = 0; n < MAILS_A_TURN && !world_is_full(&h->world);) {
        struct mail *m = batch_next(&h->mail, &h->mail_at);
        if (m) {
            handle_mail(h, m);
            n++;
        } else if (mailbox_is_empty(h->setup.inbox)) {
            break;
        } else {
            mailbox_take(h->setup.inbox, &h->mail);
            h->mail_at = 0;
        }
    }
    world_post(&h->world);
    bool more = h->mail_at < h->mail.buf.len || !mailbox_is_empty(h->setup.inbox);
    if (!more)
        give_back(h);
    return more && !world_is_full(&h->world);
}

double host_next(const struct host *h)
{
    const struct timer *t = timers_first(&h->timers);
    double due = t ? t->due : 0, soon = h->now + RETRY_SECONDS;
    if ((h->owes || world_is_unposted(&h->world)) && (due == 0 || soon < due))
        return soon; /* what memory was too short for is tried again */
    return due;
}

bool host_is_drained(const struct host *h)
{
    return h->drained_shards == h->setup.shard_count && h->world.client_count == 0;
}

bool host_has_changed(struct host *h)
{
    return loader_has_changed(&h->loader);
}

/* --- life ---------------------------------------------------------------- */

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
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_keys[name]);
}

/* Under protection: the registry as inside.h has it. */
static int set_up(lua_State *L)
{
    luaL_newmetatable(L, JSON_TYPE);
    lua_pushliteral(L, JSON_TYPE);
    lua_setfield(L, -2, "__metatable");
    client_register(L);
    room_register(L);
    request_register(L);
    new_table(L, KEY_CLIENTS, NULL);
    new_table(L, KEY_ROOMS, "v");
    new_table(L, KEY_ANCHORS, NULL);
    new_table(L, KEY_TIMERS, NULL);
    new_table(L, KEY_TASKS, NULL);
    new_table(L, KEY_STATE, NULL);
    if (host_of(L)->setup.seed)
        sandbox_seed(L, (lua_Integer)host_of(L)->setup.seed);
    reload_push_json(L);
    lua_getfield(L, -1, "decode");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_keys[KEY_DECODE]);
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
    list_init(&h->idle_tasks);
    if (world_init(&h->world, setup->shards, setup->shard_count, &limits) < 0 ||
        sandbox_open(&h->vm, setup->memory_max, h) < 0 ||
        vm_call(&h->vm, set_up, NULL, error) < 0) {
        host_free(h);
        return NULL;
    }
    h->vm.now = &h->now;
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
    buf_deinit(&h->mail.buf);
    buf_deinit(&h->text);
    buf_deinit(&h->cancelled);
    buf_deinit(&h->fetches.buf);
    free(h);
}
