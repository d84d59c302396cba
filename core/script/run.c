/* run: prepared and resumed under protection (begin_run), then committed or rolled back.
 * Longer than other files: what begins in one half ends in the other, and one switch
 * knows what each kind of handler gets. */
#include "script/run.h"

#include "script/app.h"
#include "script/route.h"
#include "lua/watchdog.h"
#include "wire/close.h"
#include "wire/utf8.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* How cjson begins to say that the depth limit was exceeded. */
#define TOO_DEEP "Found too many nested data structures"

enum { IDLE_TASKS_MAX = 64, TEXT_KEEP_BYTES = 64 * 1024 };

/* What the log calls it. */
static const char *kind_name(enum run_kind kind)
{
    static const char *const names[] = {"on_open", "message", "on_close", "timer",
                                        "event",   "request", "resumed"};
    return names[kind];
}

/* A task to run on: an idle one, or a new one, anchored in the registry. */
static struct task *task_get(lua_State *L, struct host *h)
{
    if (!list_is_empty(&h->idle_tasks)) {
        struct task *task = LIST_ENTRY(h->idle_tasks.next, struct task, idle);
        list_remove(&task->idle);
        h->idle_count--;
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
    lua_call(L, 1, 2);
    if (!lua_istable(L, -2)) {
        const char *why = lua_tostring(L, -1);
        r->too_deep = why && strncmp(why, TOO_DEEP, strlen(TOO_DEEP)) == 0;
        r->protocol_error = "bad_json";
        return false;
    }
    lua_pop(L, 1);
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
    watchdog_name(host_of(L)->setup.watchdog, lua_tostring(L, -4));
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
    watchdog_name(host_of(L)->setup.watchdog, lua_tostring(L, entry));
    lua_replace(L, entry);
}

/* Pushes the handler and its arguments. Returns their number with the handler, or 0:
 * nothing to do. Longer than others: a case for each kind of handler. */
static int push_call(lua_State *L, struct run *r)
{
    int base = lua_gettop(L);
    switch (r->kind) {
    case RUN_OPEN:
        app_push(L, NULL, "on_open");
        if (lua_isnil(L, -1))
            return 0;
        client_push(L, r->client);
        request_push(L, &(struct request_parts){
                            .head = {r->data.at, r->head_len},
                            .subject = {r->data.at + r->head_len, r->subject_len},
                            .from = &r->client->addr,
                            .secure = r->client->secure,
                        });
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
    case RUN_EVENT:
        app_push(L, NULL, r->event);
        if (lua_isnil(L, -1))
            return 0;
        break;
    case RUN_REQUEST:
        if (!route_push(L, r))
            return 0;
        break;
    case RUN_RESUME:
        if (r->nothing) {
            lua_pushnil(L);
            lua_pushstring(L, r->nothing);
        } else if (r->answer) {
            http_push_answer(L, r->answer);
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
    if (utf8_is_valid(bytes_of(reason)))
        snprintf(r->refuse_reason, sizeof r->refuse_reason, "%s", reason);
}

/* Never raises. */
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
    struct host *h = host_of(L);
    lua_State *co = r->task->co;
    int results = 0;
    if (!lua_checkstack(co, n))
        luaL_error(L, "not enough memory");
    lua_xmove(L, co, n);
    h->current = r->task;
    vm_budget_begin(&h->vm, h->setup.handler_time);
    lua_State *before = vm_run(&h->vm, co);
    int status = lua_resume(co, L, r->kind == RUN_RESUME ? n : n - 1, &results);
    vm_run(&h->vm, before);
    if (h->vm.budget.expired && (status == LUA_OK || status == LUA_YIELD)) {
        lua_pushfstring(co, "out of %s; what caught the error can't undo that",
                        h->vm.budget.overgrown ? "memory" : "time");
        status = LUA_ERRRUN;
    }
    if (status == LUA_YIELD && !r->task->wait) {
        lua_pushliteral(co, "a handler yielded outside of chat.sleep and chat.http");
        status = LUA_ERRRUN;
    }
    if (status == LUA_YIELD) {
        lua_pop(co, results);
        r->yielded = true;
    } else if (status == LUA_OK) {
        if (r->task->kind == RUN_OPEN)
            read_refusal(r, co, results);
        else if (r->asked)
            route_respond(L, r->asked, co, results);
        lua_settop(co, 0);
    } else {
        r->failed = true;
        r->expired = h->vm.budget.expired && !h->vm.budget.overgrown;
        r->no_memory = !r->expired &&
                       (h->vm.budget.overgrown || h->vm.refused || status == LUA_ERRMEM);
        vm_describe(L, co, r->error);
        vm_reset(&h->vm, co);
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
        r->task = task_get(L, host_of(L));
        r->task->client = r->client ? r->client->id : 0;
        r->task->asked = r->asked;
        r->task->kind = (uint8_t)r->kind;
        r->task->wait = NULL;
        r->task->is_asking = false;
    }
    resume(L, r, n);
    return 0;
}

/* --- without protection: nothing below raises ---------------------------- */

void run_drop_timer(struct host *h, struct timer *t)
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
            run_drop_timer(h, t);
        else if (t)
            t->cancelled = false;
    }
    h->cancelled.len = 0;
    for (uint64_t id = h->timers.last_id; !commit && id > h->timers_committed; id--) {
        struct timer *t = timers_find(&h->timers, id);
        if (t)
            run_drop_timer(h, t);
    }
    h->timers_committed = h->timers.last_id;
}

void run_end_wait(struct host *h, struct task *task, bool call_off)
{
    if (!task->wait)
        return;
    struct mail m = {.kind = MAIL_FETCH_CANCEL, .id = task->wait->id};
    struct batch b = {0};
    if (task->is_asking && call_off && batch_add(&b, &m, (struct bytes){0}) == 0)
        (void)mailbox_post(h->setup.services, &b);
    buf_deinit(&b.buf);
    timers_remove(&h->timers, task->wait);
    task->wait = NULL;
    task->is_asking = false;
}

void run_commit(struct host *h)
{
    world_commit(&h->world);
    settle_timers(h, true);
    if (h->fetches.buf.len)
        (void)mailbox_post(h->setup.services, &h->fetches);
}

void run_rollback(struct host *h)
{
    world_rollback(&h->world);
    settle_timers(h, false);
    h->fetches.buf.len = 0;
}

/* Tells `c` that its message came to nothing. */
void run_send_error(struct host *h, struct client *c, const char *what)
{
    char text[80];
    snprintf(text, sizeof text, "{\"type\":\"error\",\"error\":\"%s\"}", what);
    struct outframe *f = outframe_new(WS_TEXT, bytes_of(text));
    if (!f || world_send(&h->world, c->id, f) != WORLD_OK)
        c->unanswered = h->owes = true;
    outframe_unref(f);
    world_commit(&h->world);
}

static void report(struct host *h, const struct run *r, const char *error)
{
    stats_add(&h->setup.stats->handler_errors, 1);
    if (r->asked)
        log_error(h->setup.log, "handler failed handler=%s route=\"%s\": %s",
                  kind_name(r->kind), r->asked->route, error);
    else
        log_error(h->setup.log, "handler failed handler=%s client=%llu: %s",
                  kind_name(r->kind),
                  r->client ? (unsigned long long)r->client->id : 0ULL, error);
}

/* The task has ended: it is kept for use again, unless it failed or there are enough. */
static void end_task(struct host *h, struct run *r)
{
    struct task *task = r->task;
    r->task = NULL;
    run_end_wait(h, task, true);
    if (r->failed || h->idle_count == IDLE_TASKS_MAX) {
        forget_task(h->vm.L, task);
    } else {
        list_add_tail(&h->idle_tasks, &task->idle);
        h->idle_count++;
    }
}

static void fail(struct host *h, struct run *r)
{
    if (r->task) /* the rollback would free its timer behind the task's back */
        run_end_wait(h, r->task, false);
    run_rollback(h);
    report(h, r, r->error);
    if (r->expired)
        host_limit(h, LIMIT_HANDLER_TIME, r->client);
    if (r->no_memory)
        host_limit(h, LIMIT_SCRIPT_MEMORY, r->client);
    if (r->client && r->kind != RUN_CLOSE && !r->client->gone)
        run_send_error(h, r->client, "internal");
    if (r->asked)
        route_fail(h, r->asked);
}

/* on_open said no: nothing that it did counts but the refusal. */
static void refuse(struct host *h, struct run *r)
{
    run_rollback(h);
    r->client->refused = true;
    uint32_t m;
    while ((m = r->client->roster.first)) /* what it joined before it waited */
        if (world_leave(&h->world, r->client, world_room_of(&h->world, m)) != WORLD_OK)
            break;
    (void)world_close(&h->world, r->client->id, r->refuse_code,
                      bytes_of(r->refuse_reason));
    run_commit(h);
}

bool run_handler(struct host *h, struct run *r)
{
    r->handler = r->task ? (enum run_kind)r->task->kind : r->kind;
    watchdog_begin(h->setup.watchdog, kind_name(r->kind), r->client ? r->client->id : 0);
    if (vm_call(&h->vm, begin_run, r, r->error) < 0) {
        r->failed = true;
        r->no_memory = h->vm.no_memory;
    }
    watchdog_end(h->setup.watchdog);
    vm_budget_end(&h->vm);
    h->current = NULL;
    if (!r->failed && h->world.failed) {
        snprintf(r->error, sizeof r->error,
                 "not enough memory for what the handler sent");
        r->failed = true;
    }
    if (r->too_deep)
        host_limit(h, LIMIT_JSON_DEPTH, r->client);
    if (r->failed)
        fail(h, r);
    else if (r->protocol_error)
        run_send_error(h, r->client, r->protocol_error);
    else if (r->refused)
        refuse(h, r);
    else
        run_commit(h);
    if (h->text.cap > TEXT_KEEP_BYTES)
        buf_deinit(&h->text);
    if (r->yielded && !r->failed)
        return false;
    if (r->task)
        end_task(h, r);
    if (r->handler == RUN_OPEN && !r->refused && !r->client->gone) {
        if (world_admit(&h->world, r->client->id) != WORLD_OK)
            r->client->unanswered = h->owes = true;
        run_commit(h);
    }
    return true;
}

void run_event(struct host *h, const char *event)
{
    struct run r = {.kind = RUN_EVENT, .event = event};
    (void)run_handler(h, &r);
}
