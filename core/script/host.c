/* host: a run is one call of a handler: prepared and resumed under protection
 * (begin_run), then committed or rolled back (end_run). Longer than other files: a
 * handler's whole life is told here. */
#include "script/host.h"

#include "script/app.h"
#include "script/inside.h"
#include "script/json.h"
#include "wire/close.h"
#include "wire/utf8.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

int luaopen_cjson_safe(lua_State *L);

enum {
    IDLE_TASKS_MAX = 64,
    MAILS_A_BATCH = 256, /* handled before the shards get to work on the answers */
    PENDING_MAX_BYTES =
        256 * 1024, /* of one client whose handler waits; then it is paused */
    LOAD_SECONDS = 5,
};

enum run_kind { RUN_OPEN, RUN_MESSAGE, RUN_CLOSE, RUN_TIMER, RUN_RESUME };

/* One call into Lua and what came of it. */
struct run {
    struct host *host;
    enum run_kind kind;
    struct client *client; /* NULL for timers */
    struct task *task;     /* set by begin_run once there is one */
    struct bytes data;     /* the message, the request's head or the close reason */
    size_t head_len;       /* OPEN: parts of the data */
    size_t subject_len;
    uint64_t timer;
    uint16_t code;
    bool binary;
    bool closed; /* RESUME: the client has gone */
    /* out */
    const char *protocol_error; /* the message was no business of the script's */
    bool yielded, failed, refused;
    uint16_t refuse_code;
    char refuse_reason[124];
    char error[VM_ERROR_SIZE];
};

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

struct frame *host_frame(lua_State *L, int index)
{
    struct buf *text = &host_of(L)->text;
    struct bytes payload = json_text(L, index);
    if (lua_type(L, index) == LUA_TSTRING) {
        payload.at = (const uint8_t *)lua_tolstring(L, index, &payload.len);
        if (!utf8_is_valid(payload))
            luaL_argerror(L, index, "a text is UTF-8; send_binary takes any bytes");
    } else if (!payload.at) {
        luaL_argcheck(L, lua_istable(L, index), index,
                      "a table, a chat.object or a string of JSON");
        text->len = 0;
        json_encode(L, index, text);
        payload = buf_bytes(text);
    }
    struct frame *f = frame_new(WS_TEXT, payload);
    if (!f)
        luaL_error(L, "not enough memory");
    return f;
}

/* --- runs, the protected part -------------------------------------------- */

/* A task to run on: an idle one, or a new one, anchored in the registry. */
static struct task *task_get(lua_State *L, struct host *h)
{
    if (!list_is_empty(&h->idle_tasks)) {
        struct task *task = LIST_ENTRY(h->idle_tasks.next, struct task, idle);
        list_remove(&task->idle);
        return task;
    }
    host_push(L, KEY_TASKS);
    struct task *task = lua_newuserdatauv(L, sizeof *task, 1);
    *task = (struct task){.co = lua_newthread(L)};
    list_init(&task->idle);
    lua_setiuservalue(L, -2, 1);
    lua_rawsetp(L, -2, task);
    lua_pop(L, 1);
    return task;
}

/* Pushes the decoded message and its handler, or says why not. True: [-0, +2] handler,
 * message. */
static bool push_decoded(lua_State *L, struct run *r)
{
    if (r->binary) {
        r->protocol_error = "binary";
        return false;
    }
    host_push(L, KEY_DECODE);
    lua_pushlstring(L, (const char *)r->data.at, r->data.len);
    lua_call(L, 1, 1);
    if (!lua_istable(L, -1)) {
        r->protocol_error = "bad_json";
        return false;
    }
    lua_pushliteral(L, "type");
    if (lua_rawget(L, -2) != LUA_TSTRING) {
        r->protocol_error = "no_type";
        return false;
    }
    host_push(L, KEY_APP);
    lua_pushliteral(L, "on");
    if (lua_rawget(L, -2) == LUA_TTABLE) {
        lua_pushvalue(L, -3);
        lua_rawget(L, -2);
    }
    if (!lua_isfunction(L, -1)) {
        r->protocol_error = "unknown_type";
        return false;
    }
    /* message, type, app, on, handler -> handler, message */
    lua_replace(L, -4);
    lua_pop(L, 2);
    lua_insert(L, -2);
    return true;
}

/* Pushes what a timer calls and its arguments; nothing if the timer has been forgotten.
 */
static void push_timer(lua_State *L, const struct run *r)
{
    host_push(L, KEY_TIMERS);
    lua_rawgeti(L, -1, (lua_Integer)r->timer);
    lua_remove(L, -2);
    int entry = lua_gettop(L);
    if (!lua_istable(L, entry)) {
        lua_pop(L, 1);
        return;
    }
    lua_getfield(L, entry, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n + 4, "timer");
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, entry, i);
    lua_remove(L, entry);
    if (lua_type(L, entry) != LUA_TSTRING)
        return;
    app_push(L, "timers", lua_tostring(L, entry));
    if (lua_isnil(L, -1))
        luaL_error(L, "a timer is due, but app.timers.%s is not there",
                   lua_tostring(L, entry));
    lua_replace(L, entry);
}

/* Pushes the handler and its arguments. Returns their number with the handler, or 0:
 * nothing to do. */
static int push_call(lua_State *L, struct run *r)
{
    int base = lua_gettop(L);
    switch (r->kind) {
    case RUN_OPEN:
        app_push(L, NULL, "on_open");
        if (lua_isnil(L, -1))
            return 0;
        client_push(L, r->client);
        request_push(L, (struct bytes){r->data.at, r->head_len},
                     (struct bytes){r->data.at + r->head_len, r->subject_len});
        break;
    case RUN_MESSAGE:
        app_push(L, NULL, "on_message");
        if (lua_isfunction(L, -1)) {
            client_push(L, r->client);
            lua_pushlstring(L, (const char *)r->data.at, r->data.len);
            lua_pushboolean(L, r->binary);
        } else {
            lua_pop(L, 1);
            if (!push_decoded(L, r))
                return 0;
            client_push(L, r->client);
            lua_insert(L, -2);
        }
        break;
    case RUN_CLOSE:
        app_push(L, NULL, "on_close");
        if (lua_isnil(L, -1))
            return 0;
        client_push(L, r->client);
        lua_pushinteger(L, r->code);
        lua_pushlstring(L, (const char *)r->data.at, r->data.len);
        break;
    case RUN_TIMER:
        push_timer(L, r);
        break;
    case RUN_RESUME:
        if (r->closed) {
            lua_pushnil(L);
            lua_pushliteral(L, "closed");
        } else {
            lua_pushboolean(L, 1);
        }
        break;
    }
    return lua_gettop(L) - base;
}

/* What on_open returned: false [, code [, reason]] refuses. */
static void read_refusal(struct run *r, lua_State *co, int results)
{
    int first = lua_gettop(co) - results + 1;
    if (results == 0 || !lua_isboolean(co, first) || lua_toboolean(co, first))
        return;
    lua_Integer code =
        results > 1 && lua_isinteger(co, first + 1) ? lua_tointeger(co, first + 1) : 0;
    const char *reason = results > 2 && lua_type(co, first + 2) == LUA_TSTRING
                             ? lua_tostring(co, first + 2)
                             : "";
    r->refused = true;
    r->refuse_code = code > 0 && code < 5000 && close_code_is_valid((unsigned)code)
                         ? (uint16_t)code
                         : WS_CLOSE_POLICY;
    snprintf(r->refuse_reason, sizeof r->refuse_reason, "%s", reason);
}

static void forget_task(lua_State *L, struct task *task)
{
    host_push(L, KEY_TASKS);
    lua_pushnil(L);
    lua_rawsetp(L, -2, task);
    lua_pop(L, 1);
}

/* Resumes the run's task with the `n` values on top (a function first, unless it was
 * waiting). */
static void resume(lua_State *L, struct run *r, int n)
{
    struct host *h = r->host;
    lua_State *co = r->task->co;
    int results = 0;
    if (!lua_checkstack(co, n))
        luaL_error(L, "not enough memory");
    lua_xmove(L, co, n);
    h->current = r->task;
    vm_budget_begin(&h->vm, h->setup.handler_time);
    int status = lua_resume(co, L, r->kind == RUN_RESUME ? n : n - 1, &results);
    if (status == LUA_YIELD && !r->task->sleep) {
        lua_pushliteral(co, "a handler yielded outside of chat.sleep");
        status = LUA_ERRRUN;
    }
    if (status == LUA_YIELD) {
        lua_pop(co, results);
        r->yielded = true;
    } else if (status == LUA_OK) {
        if (r->task->kind == RUN_OPEN)
            read_refusal(r, co, results);
        lua_settop(co, 0);
    } else {
        r->failed = true;
        vm_describe(L, co, r->error);
        lua_resetthread(co);
    }
}

/* Under protection: everything of a run that may raise. */
static int begin_run(lua_State *L)
{
    struct run *r = lua_touserdata(L, 1);
    int n = push_call(L, r);
    if (n == 0)
        return 0;
    if (r->kind != RUN_RESUME) {
        r->task = task_get(L, r->host);
        r->task->client = r->client ? r->client->id : 0;
        r->task->kind = (uint8_t)r->kind;
        r->task->sleep = NULL;
    }
    resume(L, r, n);
    return 0;
}

/* --- runs, the rest ------------------------------------------------------ */

static void drop_timer(struct host *h, struct timer *t)
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
            drop_timer(h, t);
        else if (t)
            t->cancelled = false;
    }
    h->cancelled.len = 0;
    for (uint64_t id = h->timers.last_id; !commit && id > h->timers_committed; id--) {
        struct timer *t = timers_find(&h->timers, id);
        if (t)
            drop_timer(h, t);
    }
    h->timers_committed = h->timers.last_id;
}

static void commit(struct host *h)
{
    world_commit(&h->world);
    settle_timers(h, true);
}

static void rollback(struct host *h)
{
    world_rollback(&h->world);
    settle_timers(h, false);
}

/* Tells `c` that its message came to nothing. */
static void send_error(struct host *h, struct client *c, const char *what)
{
    char text[80];
    snprintf(text, sizeof text, "{\"type\":\"error\",\"error\":\"%s\"}", what);
    struct frame *f = frame_new(WS_TEXT, bytes_of(text));
    if (f)
        (void)world_send(&h->world, c->id, f);
    frame_unref(f);
    world_commit(&h->world);
}

static void report(struct host *h, const struct run *r, const char *error)
{
    static const char *const names[] = {"on_open", "message", "on_close", "timer",
                                        "resumed"};
    stats_add(&h->setup.stats->handler_errors, 1);
    log_error(h->setup.log, "handler failed handler=%s client=%llu: %s", names[r->kind],
              r->client ? (unsigned long long)r->client->id : 0ULL, error);
}

static void run_pending(struct host *h, struct client *c);
static void remove_client(struct host *h, struct client *c);

/* The task has ended: it may be used again, and its client's next message may be handled.
 */
static void end_task(struct host *h, struct run *r)
{
    enum run_kind kind = r->task ? (enum run_kind)r->task->kind : r->kind;
    if (r->task) {
        h->current = NULL;
        bool reuse = !r->failed && !h->vm.expired;
        r->task->sleep = NULL;
        if (reuse)
            list_add_tail(&h->idle_tasks, &r->task->idle);
        else
            forget_task(h->vm.L, r->task);
    }
    if (!r->client)
        return;
    bool waited = r->client->task != NULL;
    r->client->task = NULL;
    if (kind == RUN_CLOSE)
        remove_client(h, r->client);
    else if (waited)
        run_pending(h, r->client);
}

static void end_run(struct host *h, struct run *r, int called)
{
    vm_budget_end(&h->vm);
    h->current = NULL;
    if (called < 0)
        r->failed = true;
    if (r->failed) {
        if (r->task && r->task->sleep)
            timers_remove(&h->timers, r->task->sleep);
        rollback(h);
        report(h, r, r->error);
        if (r->client && r->kind != RUN_CLOSE && !r->client->gone)
            send_error(h, r->client, "internal");
    } else if (r->protocol_error) {
        send_error(h, r->client, r->protocol_error);
    } else {
        if (r->refused) {
            r->client->refused = true;
            (void)world_close(&h->world, r->client->id, r->refuse_code,
                              bytes_of(r->refuse_reason));
        }
        commit(h);
    }
    if (r->yielded) {
        if (r->client)
            r->client->task = r->task;
        return;
    }
    end_task(h, r);
}

static void run(struct host *h, struct run *r)
{
    r->host = h;
    end_run(h, r, vm_call(&h->vm, begin_run, r, r->error));
}

/* --- mail ---------------------------------------------------------------- */

static void remove_client(struct host *h, struct client *c)
{
    client_forget(h->vm.L, c);
    world_remove_client(&h->world, c);
    world_commit(&h->world);
}

static void handle_close(struct host *h, struct client *c, const struct mail *m)
{
    struct run r = {
        .kind = RUN_CLOSE, .client = c, .data = mail_bytes(m), .code = m->code};
    c->gone = true;
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
    if (m->kind == MAIL_OPEN) {
        r.head_len = m->open.head_len;
        r.subject_len = m->open.subject_len;
    }
    if (m->kind == MAIL_CLOSED) {
        handle_close(h, c, m);
        return;
    }
    if (m->kind == MAIL_MESSAGE) {
        r.kind = RUN_MESSAGE;
        r.binary = m->binary;
    }
    if (!c->refused)
        run(h, &r);
}

/* Wakes the handler that waits, with or without its client. */
static void wake_task(struct host *h, struct task *task, bool closed)
{
    struct run r = {.kind = RUN_RESUME,
                    .client = task->client ? world_client(&h->world, task->client) : NULL,
                    .task = task,
                    .closed = closed};
    timers_remove(&h->timers, task->sleep);
    task->sleep = NULL;
    run(h, &r);
}

/* Keeps the mail of a client whose handler waits. */
static void put_off(struct host *h, struct client *c, const struct mail *m)
{
    if (batch_add(&c->pending, m, mail_bytes(m)) < 0 && m->kind == MAIL_MESSAGE)
        send_error(h, c, "internal");
    if (c->pending.buf.len > PENDING_MAX_BYTES && !c->paused &&
        world_pause(&h->world, c, true) == WORLD_OK)
        world_commit(&h->world);
    if (m->kind != MAIL_CLOSED)
        return;
    c->gone = true;
    if (c->task->kind != RUN_CLOSE)
        wake_task(h, c->task, true);
}

static void handle_or_put_off(struct host *h, struct client *c, const struct mail *m)
{
    if (c->task)
        put_off(h, c, m);
    else
        handle(h, c, m);
}

/* The handler that waited has ended: its client's mail goes on. */
static void run_pending(struct host *h, struct client *c)
{
    struct batch mine = c->pending;
    uint64_t id = c->id;
    size_t at = 0;
    c->pending = (struct batch){0};
    if (c->paused && world_pause(&h->world, c, false) == WORLD_OK)
        world_commit(&h->world);
    for (struct mail *m; (m = batch_next(&mine, &at)) && world_client(&h->world, id);)
        handle_or_put_off(h, c, m);
    buf_deinit(&mine.buf);
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
    if (protocol.len)
        c->protocol = strndup((const char *)protocol.at, protocol.len);
    handle(h, c, m);
}

/* MAIL_POST: the embedding program says something in a room. */
static void post_to_room(struct host *h, const struct mail *m)
{
    struct bytes name = {mail_bytes(m).at, m->name_len};
    struct room *room = world_room(&h->world, name);
    struct frame *f =
        room ? frame_new(WS_TEXT, bytes_skip(mail_bytes(m), m->name_len)) : NULL;
    if (f)
        (void)world_broadcast(&h->world, room, 0, f);
    frame_unref(f);
    world_commit(&h->world);
}

static void handle_mail(struct host *h, const struct mail *m)
{
    struct client *c;
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
    case MAIL_DRAINED:
        h->drained_shards++;
        break;
    case MAIL_RELOAD:
        (void)host_load(h);
        break;
    case MAIL_POST:
        post_to_room(h, m);
        break;
    case MAIL_SEND:
    case MAIL_BROADCAST:
    case MAIL_JOIN:
    case MAIL_LEAVE:
    case MAIL_CLOSE:
    case MAIL_PAUSE:
    case MAIL_RESUME:
    case MAIL_PROTOCOLS:
    case MAIL_ACCEPT:
    case MAIL_DRAIN:
    case MAIL_ABORT:
        break; /* a shard's business: never sent here */
    }
}

static void fire(struct host *h, struct timer *t)
{
    struct run r = {.kind = RUN_TIMER, .timer = t->id};
    if (t->owner) {
        wake_task(h, t->owner, false);
        return;
    }
    double next = t->due + t->period;
    timers_move(&h->timers, t, next > h->now ? next : h->now + t->period);
    t->fired = t->period == 0;
    run(h, &r);
    t = timers_find(&h->timers, r.timer);
    if (t && t->fired)
        drop_timer(h, t);
}

static void fire_due(struct host *h)
{
    uint64_t last = h->timers.last_id; /* what handlers add now is for the next turn */
    for (struct timer *t;
         (t = timers_first(&h->timers)) && t->due <= h->now && t->id <= last;)
        fire(h, t);
}

bool host_turn(struct host *h, double now)
{
    h->now = now;
    fire_due(h);
    for (int n = 0; !world_is_full(&h->world); n++) {
        struct mail *m = batch_next(&h->mail, &h->mail_at);
        if (!m) {
            if (mailbox_is_empty(h->setup.inbox))
                break;
            mailbox_take(h->setup.inbox, &h->mail);
            h->mail_at = 0;
            continue;
        }
        handle_mail(h, m);
        if (n % MAILS_A_BATCH == MAILS_A_BATCH - 1)
            world_post(&h->world);
    }
    world_post(&h->world);
    return h->mail_at < h->mail.buf.len || !mailbox_is_empty(h->setup.inbox);
}

double host_next(const struct host *h)
{
    const struct timer *t = timers_first(&h->timers);
    return t ? t->due : 0;
}

bool host_is_drained(const struct host *h)
{
    return h->drained_shards == h->setup.shard_count && h->world.clients.count == 0;
}

/* --- loading ------------------------------------------------------------- */

/* Functions given to timers belong to the rules that gave them; names stay. */
static void drop_function_timers(lua_State *L, struct host *h, uint64_t last)
{
    host_push(L, KEY_TIMERS);
    for (size_t i = 0; i < h->timers.count;) {
        struct timer *t = h->timers.heap[i];
        bool drop = false;
        if (!t->owner && t->id <= last) {
            lua_rawgeti(L, -1, (lua_Integer)t->id);
            lua_rawgeti(L, -1, 1);
            drop = lua_isfunction(L, -1);
            lua_pop(L, 2);
        }
        if (!drop) {
            i++;
            continue;
        }
        drop_timer(h, t);
        i = 0; /* the heap has moved */
    }
    lua_pop(L, 1);
}

/* Under protection: loads; a scratch host runs the selftest, the live one swaps. */
static int load(lua_State *L)
{
    struct host *h = lua_touserdata(L, 1);
    uint64_t last = h->timers.last_id;
    app_load(L, h);
    if (!h->is_scratch)
        drop_function_timers(L, h, last);
    app_protocols(L, h);
    app_swap(L);
    if (!h->is_scratch)
        return 0;
    app_push(L, NULL, "selftest");
    if (lua_isfunction(L, -1))
        lua_call(L, 0, 0);
    return 0;
}

static int load_in(struct host *h, char error[VM_ERROR_SIZE])
{
    vm_budget_begin(&h->vm, LOAD_SECONDS);
    int result = vm_call(&h->vm, load, h, error);
    vm_budget_end(&h->vm);
    if (result < 0)
        rollback(h);
    else
        commit(h);
    return result;
}

static int load_in_scratch(const struct host *live, char error[VM_ERROR_SIZE])
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
    scratch->is_scratch = true;
    scratch->now = live->now;
    int result = load_in(scratch, error);
    host_free(scratch);
    return result;
}

int host_load(struct host *h)
{
    char error[VM_ERROR_SIZE];
    bool again = h->loader.count > 0;
    if (load_in_scratch(h, error) < 0 || load_in(h, error) < 0) {
        stats_add(&h->setup.stats->reload_errors, again);
        log_error(h->setup.log, "%s: %s",
                  again ? "rules not reloaded, the old ones stay in force"
                        : "rules not loaded",
                  error);
        return -1;
    }
    world_post(
        &h->world); /* the shards know the subprotocols before they accept anyone */
    stats_add(&h->setup.stats->reloads, again);
    log_info(h->setup.log, "rules %s script=%s", again ? "reloaded" : "loaded",
             h->setup.script);
    return 0;
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

/* Pushes cjson (its errors returned, not raised), set to be strict. [-0, +1] */
static void push_json(lua_State *L)
{
    luaL_requiref(L, "cjson.safe", luaopen_cjson_safe, 0);
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode_max_depth");
    lua_pushinteger(L, host_of(L)->setup.json_depth);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "encode_number_precision");
    lua_pushinteger(L, 14);
    lua_call(L, 1, 0);
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
    lua_newtable(L);
    chat_push(L);
    push_json(L);
    lua_getfield(L, -1, "decode");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_keys[KEY_DECODE]);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "json");
    lua_setfield(L, -3, "cjson");
    lua_setfield(L, -2, "charlua");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_keys[KEY_BUILTINS]);
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
    list_init(&h->idle_tasks);
    if (world_init(&h->world, setup->shards, setup->shard_count, &limits) < 0 ||
        vm_open(&h->vm, setup->memory_max, h) < 0 ||
        vm_call(&h->vm, set_up, NULL, error) < 0) {
        host_free(h);
        return NULL;
    }
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
    loader_deinit(&h->loader);
    buf_deinit(&h->mail.buf);
    buf_deinit(&h->text);
    buf_deinit(&h->cancelled);
    free(h);
}
