/* server: a server's life: it runs, hears of stop and reload, drains and ends. Does not
 * know: argv, signals, how actors are made and what they do. Thread: run on the caller's;
 * stop, reload, post and stats from any. Owner: charlua.c. */
#ifndef CHARLUA_SERVER_SERVER_H
#define CHARLUA_SERVER_SERVER_H

#include "server/setup.h"

struct server;

/* NULL when memory or descriptors are out. */
struct server *server_new(void);
void server_free(struct server *s);

/* Serves until server_stop. Returns 0, or -1 with a sentence in `error`. */
int server_run(struct server *s, const struct server_setup *setup, char *error,
               size_t size);

/* Safe in signal handlers. The second stop does not wait for anyone. */
void server_stop(struct server *s);
void server_reload(struct server *s);

enum server_posting { SERVER_POSTED, SERVER_STOPPED, SERVER_FULL, SERVER_NO_MEMORY };

/* Has the host send `json` to a room. SERVER_FULL: the host's inbox is at its cap. */
enum server_posting server_post(struct server *s, struct bytes room, struct bytes json);

struct stats *server_stats(struct server *s);
/* 0 while it does not run. */
int server_port(struct server *s, size_t i);

#endif
