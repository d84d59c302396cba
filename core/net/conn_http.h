/* conn_http: a conn before its upgrade: requests, plain answers, scripted responses, and
 * the upgrade itself. Does not know: files (page does), what the rules answer. Thread:
 * the conn's shard's. Owner: nobody; these are functions on a conn. What others call,
 * conn_respond and its like, is declared in conn.h. */
#ifndef CHARLUA_NET_CONN_HTTP_H
#define CHARLUA_NET_CONN_HTTP_H

#include "net/conn_state.h"

/* More of a request has come. */
void conn_http_receive(struct conn *c, struct bytes data);

/* All that was queued of an answer has left: queues the next piece of its file. False:
 * there is none. */
bool conn_http_continue(struct conn *c);

/* A plain answer or scripted response has left, and the connection stays: the next
 * request may have come already. */
void conn_http_next(struct conn *c);

/* A request, or what the rules answer to it, did not come in time. */
void conn_http_timeout(struct conn *c);

#endif
