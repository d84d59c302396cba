/* task: the coroutines that handlers run in, and their waits.
 * Does not know: what handlers do, what they wait for.
 * Thread: the host's.
 * Owner: the registry, under KEY_TASKS, from task_new to task_free. */
#ifndef CHARLUA_SCRIPT_TASK_H
#define CHARLUA_SCRIPT_TASK_H

#include "script/host_state.h"

/* Pushes what a wait gives its handler when `m` has come for it. Returns how many values
 * that is. */
typedef int task_push_reply(lua_State *L, const struct mail *m);

/* A handler's coroutine; a full userdata whose user value is the thread. */
struct task {
    struct list idle;            /* in the host's list of those to use again */
    lua_State *co;               /* its thread */
    uint64_t client;             /* whose handler runs, or 0 */
    struct asked *asked;         /* the request that it responds to, or NULL */
    uint8_t kind;                /* enum run_kind, never RESUME */
    char name[HANDLER_NAME_MAX]; /* for the log */
    struct timer *wait;          /* while it waits: until when at the latest */
    struct list overdue;         /* in the host's list, once its wait's time is over */
    uint64_t judged_at; /* the batch of mail that has to be handled before that counts */
    task_push_reply *push_reply; /* it waits for a reply whose id is the timer's; or NULL:
                                  * for the timer alone */
};

/* A task to run on: an idle one, or a new one. Raises when memory is out. */
struct task *task_new(lua_State *L, struct host *h);

/* It has ended: it is kept for use again, unless it `failed` or there are enough. Never
 * raises. */
void task_free(struct host *h, struct task *task, bool failed);

/* Whether the running handler may wait now. False: its client has gone, and nil, "closed"
 * are pushed. Raises, in the name of `who`, where nothing can wait. [-0, +0|2] */
bool task_may_wait(lua_State *L, const char *who);

/* Sets the clock of the wait that begins when the caller yields: `seconds` at most, and
 * `push_reply` (or NULL) for what may come before. */
struct timer *task_begin_wait(lua_State *L, double seconds, task_push_reply *push_reply);

/* The task waits no more. `call_off`: nor does the request that it may have posted. */
void task_end_wait(struct host *h, struct task *task, bool call_off);

#endif
