/* run: prepared and resumed under protection (begin_run), then committed or rolled back.
 */
#include "script/run.h"

#include "script/api.h"
#include "script/call.h"
#include "script/route.h"
#include "script/transaction.h"
#include "lua/stall_log.h"
#include "wire/close.h"
#include "wire/utf8.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_KEEP_BYTES = 64 * 1024 };

/* What the log calls the run's handler until call_push knows better. */
static void name_run(struct run *r)
{
    static const char *const names[] = {
        [RUN_OPEN] = "on_open",   [RUN_MESSAGE] = "message", [RUN_CLOSE] = "on_close",
        [RUN_TIMER] = "timer",    [RUN_EVENT] = "event",     [RUN_REQUEST] = "http",
        [RUN_RESUME] = "resumed",
    };
    const char *name = r->task ? r->task->name : r->event ? r->event : names[r->kind];
    memccpy(r->name, name, '\0', sizeof r->name); /* all of them are short enough */
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
    lua_State *before = budget_run(&h->vm.budget, co);
    int status = lua_resume(co, L, r->kind == RUN_RESUME ? n : n - 1, &results);
    budget_run(&h->vm.budget, before);
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
    int n = call_push(L, r);
    if (n == 0)
        return 0;
    if (r->kind != RUN_RESUME) {
        r->task = task_new(L, host_of(L));
        r->task->client = r->client ? r->client->id : 0;
        r->task->asked = r->asked;
        r->task->kind = (uint8_t)r->kind;
        r->task->wait = NULL;
        r->task->push_reply = NULL;
        memcpy(r->task->name, r->name, sizeof r->name);
    }
    resume(L, r, n);
    return 0;
}

/* --- without protection: nothing below raises ---------------------------- */

/* Tells `c` that its message came to nothing. */
void run_send_error(struct host *h, struct client *c, const char *what)
{
    char text[80];
    snprintf(text, sizeof text, "{\"type\":\"error\",\"error\":\"%s\"}", what);
    struct outframe *f = outframe_new(WS_TEXT, bytes_of(text));
    if (!f || world_send(&h->world, c->id, f) != WORLD_OK)
        c->owed_close = h->owes = true;
    outframe_unref(f);
    world_commit(&h->world);
}

static void report(struct host *h, const struct run *r, const char *error)
{
    stats_add(&h->setup.stats->handler_errors, 1);
    const char *quote = strchr(r->name, ' ') ? "\"" : "";
    if (r->asked)
        log_error(h->setup.log, "handler failed handler=%s%s%s: %s", quote, r->name,
                  quote, error);
    else
        log_error(h->setup.log, "handler failed handler=%s%s%s client=%llu: %s", quote,
                  r->name, quote, r->client ? (unsigned long long)r->client->id : 0ULL,
                  error);
}

static void fail(struct host *h, struct run *r)
{
    if (r->task) /* the rollback would free its timer behind the task's back */
        task_end_wait(h, r->task, false);
    transaction_rollback(h);
    report(h, r, r->error);
    if (r->expired)
        api_reach_limit(h, LIMIT_HANDLER_TIME, r->client);
    if (r->no_memory)
        api_reach_limit(h, LIMIT_SCRIPT_MEMORY, r->client);
    if (r->client && client_is_here(r->client))
        run_send_error(h, r->client, "internal");
    if (r->asked)
        route_fail(h, r->asked);
}

/* on_open said no: nothing that it did counts but the refusal. */
static void refuse(struct host *h, struct run *r)
{
    transaction_rollback(h);
    r->client->life = CLIENT_GONE;
    uint32_t m;
    while ((m = r->client->roster.first)) /* what it joined before it waited */
        if (world_leave(&h->world, r->client, world_room_of(&h->world, m)) != WORLD_OK)
            break;
    (void)world_close(&h->world, r->client->id, r->refuse_code,
                      bytes_of(r->refuse_reason));
    transaction_commit(h);
}

bool run_handler(struct host *h, struct run *r)
{
    r->handler = r->task ? (enum run_kind)r->task->kind : r->kind;
    name_run(r);
    stall_log_begin(h->setup.stall_log, r->name, r->client ? r->client->id : 0);
    if (vm_call(&h->vm, begin_run, r, r->error) < 0) {
        r->failed = true;
        r->no_memory = h->vm.no_memory;
    }
    stall_log_end(h->setup.stall_log);
    vm_budget_end(&h->vm);
    h->current = NULL;
    if (!r->failed && h->world.failed) {
        snprintf(r->error, sizeof r->error,
                 "not enough memory for what the handler sent");
        r->failed = true;
    }
    if (r->too_deep)
        api_reach_limit(h, LIMIT_JSON_DEPTH, r->client);
    if (r->failed)
        fail(h, r);
    else if (r->protocol_error)
        run_send_error(h, r->client, r->protocol_error);
    else if (r->refused)
        refuse(h, r);
    else
        transaction_commit(h);
    if (h->text.cap > TEXT_KEEP_BYTES)
        buf_deinit(&h->text);
    if (r->yielded && !r->failed)
        return false;
    if (r->task)
        task_free(h, r->task, r->failed);
    r->task = NULL;
    if (r->handler == RUN_OPEN && r->client->life == CLIENT_ARRIVING) {
        r->client->life = CLIENT_OPEN;
        if (world_admit(&h->world, r->client->id) != WORLD_OK)
            r->client->owed_close = h->owes = true;
        transaction_commit(h);
    }
    return true;
}

struct task *run_event(struct host *h, const char *event)
{
    struct run r = {.kind = RUN_EVENT, .event = event};
    return run_handler(h, &r) ? NULL : r.task;
}
