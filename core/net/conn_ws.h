/* conn_ws: a conn after its upgrade: frames to messages and back, pings, the closing
 * handshake.
 * Does not know: HTTP, what messages say.
 * Thread: the conn's shard's.
 * Owner: nobody; these are functions on a conn. What others call, conn_send, is declared
 * in conn.h. */
#ifndef CHARLUA_NET_CONN_WS_H
#define CHARLUA_NET_CONN_WS_H

#include "net/conn_state.h"

/* Handles what came on an upgraded connection; `at` is unmasked in place. */
void conn_ws_receive(struct conn *c, uint8_t *at, size_t len);

/* The time for the next ping has come, or the time for a sign of life has passed. */
void conn_ws_timeout(struct conn *c);

#endif
