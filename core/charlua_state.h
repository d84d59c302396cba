/* charlua_state: a server as the public functions see it: what was said before the start,
 * whether it may be changed now, and why the last call failed. Does not know: what a run
 * does.
 * Thread: any; `lock` is over what it says.
 * Owner: the embedding program. */
#ifndef CHARLUA_STATE_H
#define CHARLUA_STATE_H

#include "server/server.h"

#include <pthread.h>

enum { NATIVES_MAX = 64, ERROR_MAX_BYTES = 1024 };

/* BUSY: options, functions and callbacks are borrowed by a run, a test or an inspection,
 * and so can't be changed. */
enum state { IDLE, BUSY };

struct charlua {
    uint64_t id;          /* no other server ever has the same */
    pthread_mutex_t lock; /* over everything down to `run_error` */
    enum state state;
    bool has_run;
    struct config config;
    struct host_native natives[NATIVES_MAX]; /* names are ours */
    size_t native_count;
    void (*sink)(void *ctx, const char *level, const char *line);
    void *sink_ctx;
    void (*ready)(void *ctx);
    void *ready_ctx;
    void (*tick)(void *ctx);
    void *tick_ctx;
    double tick_seconds;
    char run_error[ERROR_MAX_BYTES]; /* of charlua_run; empty: none */
    struct config finished;          /* while it is BUSY */
    struct server *server;
    struct log log;
};

/* Begins a call of this thread: what it fails for is to be written to the returned text
 * of ERROR_MAX_BYTES; empty: it went well. */
char *state_begin(const struct charlua *c);

/* Says what the call fails for. Returns -1, for its caller to return. */
__attribute__((format(printf, 1, 2))) int state_fail(const char *format, ...);

/* As charlua_error. */
const char *state_error(const struct charlua *c);

/* Begins a call and locks `c` for a change. Returns 0, or -1, not locked, while it is
 * BUSY. */
int state_lock(struct charlua *c, const char *call);

/* Returns `result`. */
int state_unlock(struct charlua *c, int result);

/* Begins a call, finishes the configuration and takes it, the functions and the callbacks
 * until state_give_back. Returns 0 with *setup, or -1. */
int state_borrow(struct charlua *c, const char *call, struct server_setup *setup);

/* Returns `result`. */
int state_give_back(struct charlua *c, int result);

#endif
