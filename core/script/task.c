/* task: coroutines are used again, for a thread costs 1 KiB and most handlers never wait.
 */
#include "script/task.h"

#include <lauxlib.h>

enum { IDLE_TASKS_MAX = 64 };

struct task *task_new(lua_State *L, struct host *h)
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
    list_init(&task->overdue);
    lua_setiuservalue(L, -2, 1);
    lua_rawsetp(L, -2, task);
    lua_pop(L, 1);
    return task;
}

/* Never raises. */
static void forget(lua_State *L, struct task *task)
{
    host_push(L, KEY_TASKS);
    lua_pushnil(L);
    lua_rawsetp(L, -2, task);
    lua_pop(L, 1);
}

void task_end_wait(struct host *h, struct task *task, bool call_off)
{
    if (!task->wait)
        return;
    struct mail m = {.kind = MAIL_FETCH_CANCEL, .id = task->wait->id};
    struct batch b = {0};
    if (task->push_reply && call_off && batch_add(&b, &m, (struct bytes){0}) == 0)
        (void)mailbox_post(h->setup.services, &b);
    buf_deinit(&b.buf);
    timers_remove(&h->timers, task->wait);
    list_remove(&task->overdue);
    task->wait = NULL;
    task->push_reply = NULL;
}

void task_free(struct host *h, struct task *task, bool failed)
{
    task_end_wait(h, task, true);
    if (failed || h->idle_count == IDLE_TASKS_MAX) {
        forget(h->vm.L, task);
    } else {
        list_add_tail(&h->idle_tasks, &task->idle);
        h->idle_count++;
    }
}

bool task_may_wait(lua_State *L, const char *who)
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
    bool is_over = c && (h->current->kind == RUN_CLOSE ? !world_may_wait(&h->world, c)
                                                       : !client_is_here(c));
    if (!is_over && !(h->current->asked && h->current->asked->gone))
        return true;
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return false;
}

struct timer *task_begin_wait(lua_State *L, double seconds, task_push_reply *push_reply)
{
    struct host *h = host_of(L);
    h->current->wait = timers_add(&h->timers, h->now + seconds, 0, h->current);
    if (!h->current->wait)
        luaL_error(L, "not enough memory");
    h->current->push_reply = push_reply;
    return h->current->wait;
}
