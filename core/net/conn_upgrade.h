/* conn_upgrade: switches a conn to WebSocket, once its request has been judged.
 * Does not know: who may have one; conn_http asks.
 * Thread: the conn's shard's.
 * Owner: nobody; a function on a conn. */
#ifndef CHARLUA_NET_CONN_UPGRADE_H
#define CHARLUA_NET_CONN_UPGRADE_H

#include "net/conn_state.h"
#include "wire/upgrade.h"

/* Accepts `head`, which lies at the start of c->http.in as `head_bytes`, frames perhaps
 * behind it; `accept` is what upgrade_check wrote. Without memory it is refused. */
void conn_upgrade(struct conn *c, const struct http_head *head, struct bytes head_bytes,
                  const char accept[UPGRADE_ACCEPT_SIZE]);

#endif
