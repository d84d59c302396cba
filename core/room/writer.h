/* writer: the peers that were touched in a turn, and the writing of what waits for them,
 * once each, many in one system call where the system can. Does not know: watchers,
 * rooms, what is written. Thread: its shard's. Owner: the shard, which embeds it. */
#ifndef CHARLUA_ROOM_WRITER_H
#define CHARLUA_ROOM_WRITER_H

#include "net/uring.h"
#include "room/pace.h"
#include "room/peer.h"

struct writer {
    struct list dirty;
    struct stats *stats;
    void (*settle)(struct peer *p); /* it was written to; may free it or touch it again */
    struct pace pace;               /* what writing takes */
    struct uring *ring;             /* NULL: every peer is written to by itself */
    struct {
        struct peer *peer;
        ssize_t result;
    } writing[URING_SENDS_MAX]; /* peers whose send is in the ring */
    uint32_t writing_count;
};

void writer_init(struct writer *w, struct stats *stats, void (*settle)(struct peer *));
void writer_deinit(struct writer *w);

/* The peer is written to and settled when the turn ends. */
static inline void writer_touch(struct writer *w, struct peer *p)
{
    if (list_is_empty(&p->dirty))
        list_add_tail(&w->dirty, &p->dirty);
}

/* Queues `f` for the peer, taking its own reference. Who is too slow for it loses it or
 * the connection. */
void writer_send(struct writer *w, struct peer *p, struct outframe *f);

/* Writes to all peers that were touched, and settles them. */
void writer_run(struct writer *w);

#endif
