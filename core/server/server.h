/* server: builds the actors, places them on loops and threads, starts, drains and stops
 * them. Does not know: argv, signals, what the actors do. Thread: run on the caller's;
 * stop, reload, post and stats from any. Owner: charlua.c. */
#ifndef CHARLUA_SERVER_SERVER_H
#define CHARLUA_SERVER_SERVER_H

#include "base/stats.h"
#include "config.h"
#include "script/host.h"

struct server;

struct server_setup {
    const struct config *config; /* finished */
    const struct log *log;
    const struct host_native *natives;
    size_t native_count;
    void (*ready)(void *ctx); /* NULL, or called once it is listening */
    void *ctx;
    void (*tick)(void *ctx); /* NULL, or called every tick_seconds */
    void *tick_ctx;
    double tick_seconds;
    const char *version;
};

/* NULL when memory or descriptors are out. */
struct server *server_new(void);
void server_free(struct server *s);

/* Serves until server_stop. Returns 0, or -1 with a sentence in `error`. */
int server_run(struct server *s, const struct server_setup *setup, char *error,
               size_t size);

/* Safe in signal handlers. The second stop does not wait for anyone. */
void server_stop(struct server *s);
void server_reload(struct server *s);

/* Returns 0, or -1 when it does not run or memory is out. */
int server_post(struct server *s, struct bytes room, struct bytes json);

/* What the configuration says of the host; mailboxes, clock and statistics are not in it.
 */
void server_host_setup(const struct server_setup *setup, struct host_setup *out);

struct stats *server_stats(struct server *s);
int server_port(const struct server *s, size_t i);

#endif
