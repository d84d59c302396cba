/* broadcast: what rooms are told: a message goes into its room's bundle, and the bundle,
 * once it is closed, into the queues of the room's members. Does not know: mail, names of
 * rooms, who is in them on other shards. Thread: its shard's. Owner: the shard, which
 * embeds it. */
#ifndef CHARLUA_ROOM_BROADCAST_H
#define CHARLUA_ROOM_BROADCAST_H

#include "room/slots.h"
#include "room/topic.h"
#include "room/writer.h"

struct broadcast {
    struct topics topics;
    uint64_t shared_room; /* of those with shared members, the last that got a message */
    const struct slots *peers;
    struct writer *writer;
    const struct conn_env *env;
};

/* All three are the shard's. */
void broadcast_init(struct broadcast *b, const struct slots *peers, struct writer *writer,
                    const struct conn_env *env);
void broadcast_deinit(struct broadcast *b);

/* Tells `room` (0: everybody), but for `except` (a peer's id; 0: nobody), taking its own
 * reference. */
void broadcast_send(struct broadcast *b, uint64_t room, uint64_t except,
                    struct outframe *f);

/* The peer of `slot` hears what `room` is told from now on. Returns 0, or -1 when memory
 * is out. */
int broadcast_join(struct broadcast *b, uint64_t room, uint32_t slot);
void broadcast_leave(struct broadcast *b, uint64_t room, uint32_t slot);
void broadcast_leave_all(struct broadcast *b, uint32_t slot);

/* Before anything else is queued for the peer of `slot`: what its rooms were told before
 * it is queued. */
void broadcast_close_of(struct broadcast *b, uint32_t slot);

/* Whether a room is still to be told something. */

static inline bool broadcast_waits(const struct broadcast *b)
{
    return !list_is_empty(&b->topics.bundles.open);
}

/* Queues what the rooms that may be written to by `now` are to be told. */
void broadcast_close_due(struct broadcast *b, double now);

/* When the first of the rest may be; 0: nothing waits. */
double broadcast_next(const struct broadcast *b);

#endif
