/* assemble: makes every actor of a server, puts each on its place, and ends them in the
 * opposite order. Does not know: when that is; stop, reload, drain.
 * Thread: the caller's of assemble, which is the main place's.
 * Owner: server, in its struct. */
#ifndef CHARLUA_SERVER_ASSEMBLE_H
#define CHARLUA_SERVER_ASSEMBLE_H

#include "server/entrance.h"
#include "server/place.h"
#include "server/setup.h"

struct actors {
    struct common common;
    struct place main;    /* accepts, and hears of stop and reload; not ours to make */
    struct place *places; /* beside main: with threads, the host's and the shards' */
    size_t place_count;
    struct place *host_place;
    struct host *host;
    struct stall_log *stall_log; /* over the host; NULL: memory was short */
    struct fetch *fetch;         /* NULL where no service may be asked */
    struct host_option env[CONFIG_ENV_MAX];
    size_t env_count;
    struct shard **shards;
    struct mailbox *inboxes; /* by shard */
    uint32_t shard_count;
    bool has_inboxes;
    struct entrance *entrance;
    struct page *page; /* NULL: none */
    struct tls *tls;   /* NULL: no certificates */
    struct gate *gate;
    struct stats stats;
    struct quota held;    /* what all clients make the shards keep: --max-queued */
    atomic_bool draining; /* the host looks at it */
};

/* Makes all of it, loads the rules, starts the threads; nobody is let in yet. Returns 0,
 * or -1 with a sentence in `error`. Either way `disassemble` ends what was made. */
int assemble(struct actors *a, const struct server_setup *setup, char *error,
             size_t size);
void disassemble(struct actors *a);

/* Posts one mail without bytes. */
void actors_tell_shards(struct actors *a, enum mail_kind kind);
void actors_tell_host(struct actors *a, enum mail_kind kind);

#endif
