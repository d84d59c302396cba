/* outq: the frames that wait for one socket, in order, and how much of the first has
 * left. Does not know: sockets, caps (its owner reads `bytes`), or what a frame says.
 * Thread: its connection's shard.
 * Owner: embedded in a conn; a zeroed struct is an empty queue and owns no memory. */
#ifndef CHARLUA_NET_OUTQ_H
#define CHARLUA_NET_OUTQ_H

#include "wire/outframe.h"

#include <sys/uio.h>

struct outq {
    union {
        struct outframe *one;   /* cap 0: the only frame */
        struct outframe **ring; /* cap entries, a power of two */
    };
    uint32_t cap, head, count;
    uint32_t sent;  /* bytes of the first frame that have left */
    uint32_t bytes; /* not yet left, all frames together */
};

void outq_deinit(struct outq *q);

/* What waits, if it is one piece; else {NULL, 0}. Valid until the queue changes. */
struct bytes outq_piece(const struct outq *q);

/* Appends `f`, taking its own reference. Returns 0, or -1 when memory is out or the queue
 * would hold 4 GiB (unchanged). */
int outq_push(struct outq *q, struct outframe *f);

/* Describes up to `max` waiting pieces for writev; valid until the queue changes. Returns
 * how many. */
int outq_iov(const struct outq *q, struct iovec *iov, int max);

/* Forgets the first `n` (at most q->bytes) bytes: they have left. Frees all memory when
 * empty. */
void outq_advance(struct outq *q, size_t n);

/* Drops every frame of which no byte has left yet, but for the first `keep`. */
void outq_drop_unsent(struct outq *q, uint32_t keep);

#endif
