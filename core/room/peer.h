/* peer: a shard's connection: a conn, and what the parts of the shard keep beside it. The
 * one word for it in room/: net/ says conn, the rules say client. Does not know: watchers
 * (the shard puts one beside it), rooms, other shards. Thread: its shard's. Owner: the
 * shard, which makes and frees it. */
#ifndef CHARLUA_ROOM_PEER_H
#define CHARLUA_ROOM_PEER_H

#include "base/list.h"
#include "base/mailbox.h"
#include "net/conn.h"

struct peer {
    struct conn conn;
    struct list dirty; /* in the writer's list */
    struct list wait;  /* in the list of its wait's kind */
    double deadline;   /* of that wait */
    uint64_t id;
    struct batch *ahead; /* mail that the host does not want yet; NULL: none */
    bool opened;         /* MAIL_OPEN was posted */
    bool told;           /* MAIL_CLOSED was posted */
    bool admitted;       /* the rules have let it in */
    bool paused;         /* the host has enough of its messages for now */
    bool asked;          /* MAIL_REQUEST was posted, and neither side has ended it */
};

static inline struct peer *peer_of(struct conn *c)
{
    return LIST_ENTRY(c, struct peer, conn);
}

#endif
