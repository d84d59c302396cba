/* entrance: where connections come in: the listening sockets, who is let in, and which
 * shard gets whom. Does not know: what a shard does with a connection.
 * Thread: the main place's.
 * Owner: assemble, in struct actors. */
#ifndef CHARLUA_SERVER_ENTRANCE_H
#define CHARLUA_SERVER_ENTRANCE_H

#include "base/log.h"
#include "base/mailbox.h"
#include "base/stats.h"

struct config;
struct ev_loop;
struct gate;
struct entrance;

struct entrance_setup {
    struct ev_loop *loop;    /* accepts on it */
    struct mailbox *inboxes; /* the shards' */
    uint32_t shard_count;
    struct gate *gate; /* asked for every connection */
    const struct log *log;
    struct stats *stats;
};

/* Opens every --listen and accepts nothing yet. NULL with a sentence in `error`. */
struct entrance *entrance_open(const struct config *c, char *error, size_t size);

/* Before entrance_accept: who gets what comes in. Returns 0, or -1 when memory is out. */
int entrance_lead(struct entrance *e, const struct entrance_setup *setup);

/* Accepts from now on. */
void entrance_accept(struct entrance *e);

/* Closes the listening sockets. */
void entrance_close(struct entrance *e);

/* Logs where it listens, a line each. */
void entrance_announce(const struct entrance *e);

/* The port of the `i`th --listen as it really is; 0: none. */
int entrance_port(const struct entrance *e, size_t i);

#endif
