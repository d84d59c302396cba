/* charlua_state: errors a thread each, and the borrowing of what was said. */
#include "charlua_state.h"

#include <stdarg.h>
#include <stdio.h>

/* What this thread's last call for server `of` failed for; empty: it went well. Calls of
 * several threads fail at the same time, so a sentence belongs to its thread. */
static _Thread_local struct {
    uint64_t of;
    char text[ERROR_MAX_BYTES];
} last;

char *state_begin(const struct charlua *c)
{
    last.of = c->id;
    last.text[0] = 0;
    return last.text;
}

int state_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last.text, sizeof last.text, format, args);
    va_end(args);
    return -1;
}

const char *state_error(const struct charlua *server)
{
    struct charlua *c = (struct charlua *)(uintptr_t)server; /* for its lock */
    if (last.of == c->id && last.text[0])
        return last.text;
    state_begin(c);
    pthread_mutex_lock(&c->lock);
    snprintf(last.text, sizeof last.text, "%s", c->run_error);
    pthread_mutex_unlock(&c->lock);
    return last.text;
}

int state_lock(struct charlua *c, const char *call)
{
    state_begin(c);
    pthread_mutex_lock(&c->lock);
    if (c->state == IDLE)
        return 0;
    pthread_mutex_unlock(&c->lock);
    return state_fail("%s: not while the server runs: call it before the start", call);
}

int state_unlock(struct charlua *c, int result)
{
    pthread_mutex_unlock(&c->lock);
    return result;
}

int state_borrow(struct charlua *c, const char *call, struct server_setup *setup)
{
    if (state_lock(c, call) < 0)
        return -1;
    if (config_finish(&c->config, &c->finished, last.text, sizeof last.text) < 0)
        return state_unlock(c, -1);
    c->state = BUSY;
    *setup = (struct server_setup){
        .config = &c->finished,
        .log = &c->log,
        .natives = c->natives,
        .native_count = c->native_count,
        .ready = c->ready,
        .ctx = c->ready_ctx,
        .tick = c->tick,
        .tick_ctx = c->tick_ctx,
        .tick_seconds = c->tick_seconds,
    };
    return state_unlock(c, 0);
}

int state_give_back(struct charlua *c, int result)
{
    pthread_mutex_lock(&c->lock);
    c->state = IDLE;
    return state_unlock(c, result);
}
