/* downlink: carries out what the host's mail says: frames into queues, rooms joined and
 * left, peers closed. Does not know: sockets; mail with a socket in it is the shard's.
 * Thread: its shard's. Owner: the shard, which embeds it and lends it its parts. */
#ifndef CHARLUA_ROOM_DOWNLINK_H
#define CHARLUA_ROOM_DOWNLINK_H

#include "room/broadcast.h"
#include "room/uplink.h"

struct downlink {
    const struct slots *peers;
    struct broadcast *broadcast;
    struct writer *writer;
    struct uplink *uplink; /* hears what was answered */
    struct conn_env *env;
    struct buf protocols, routes; /* what env->protocols and env->routes point to */
    bool hurried;                 /* MAIL_ABORT has come */
};

void downlink_deinit(struct downlink *d);

/* Carries out `m`, from the host or the server, and takes what it owns. */
void downlink_carry_out(struct downlink *d, const struct mail *m);

#endif
