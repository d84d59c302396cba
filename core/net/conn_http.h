/* conn_http: a conn before its upgrade: its requests, and who answers them.
 * Does not know: how an answer leaves (conn_answer does), what the rules answer.
 * Thread: the conn's shard's.
 * Owner: nobody; these are functions on a conn. conn_give_up_request is declared in
 * conn.h.
 */
#ifndef CHARLUA_NET_CONN_HTTP_H
#define CHARLUA_NET_CONN_HTTP_H

#include "net/conn_state.h"

/* More of a request has come. */
void conn_http_receive(struct conn *c, struct bytes data);

/* A plain answer or scripted response has left, and the connection stays: the next
 * request may have come already. */
void conn_http_next(struct conn *c);

/* A request, or what the rules answer to it, did not come in time. */
void conn_http_timeout(struct conn *c);

#endif
