/* conn_slow: a peer that reads too slowly: whether one more frame finds room in its queue
 * and in the sum of all queues, and what becomes of the peer when it does not.
 * Does not know: who sends; writer asks for every frame.
 * Thread: the conn's shard's.
 * Owner: nobody; these are functions on a conn. The rest of the answer, conn_too_slow, is
 * declared in conn.h. */
#ifndef CHARLUA_NET_CONN_SLOW_H
#define CHARLUA_NET_CONN_SLOW_H

#include "net/conn_state.h"

/* Whether `len` bytes more may wait for this peer. If not, conn_too_slow says to the log
 * which cap it was. */
bool conn_has_room(struct conn *c, size_t len);

#endif
