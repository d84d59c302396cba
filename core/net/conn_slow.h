/* conn_slow: a peer that reads too slowly: whether one more frame finds room in its queue
 * and in the sum of all queues, and what becomes of the peer when it does not.
 * Does not know: who sends; writer asks for every frame.
 * Thread: the conn's shard's.
 * Owner: nobody; these are functions on a conn. The rest of the answer, conn_too_slow, is
 * declared in conn.h. */
#ifndef CHARLUA_NET_CONN_SLOW_H
#define CHARLUA_NET_CONN_SLOW_H

#include "net/conn_state.h"

/* Whether a frame of `len` bytes may wait for this peer. If not, c->full says which cap
 * it was: LIMIT_QUEUE or LIMIT_QUEUED. */
static inline bool conn_has_room(struct conn *c, size_t len)
{
    if (c->out.count && c->out.bytes + len > c->env->queue_max) {
        c->full = LIMIT_QUEUE; /* one message always fits an empty queue */
        return false;
    }
    c->full = LIMIT_QUEUED;
    return quota_has(&c->env->held, conn_cost(c, 1, len));
}

/* The sum is spent: `f` leaves at once, if nothing waits for this peer and the socket
 * takes it. SEND_FULL: none of it has left. SEND_GONE: a part has, the conn is aborted.
 */
enum send_result conn_send_past(struct conn *c, const struct outframe *f);

#endif
