/* conn_answer: plain answers, scripted responses and refusals, until they have left.
 * Does not know: which request gets which; conn_http does.
 * Thread: the conn's shard's.
 * Owner: nobody; these are functions on a conn before its upgrade. What others call,
 * conn_respond and its like, is declared in conn.h. */
#ifndef CHARLUA_NET_CONN_ANSWER_H
#define CHARLUA_NET_CONN_ANSWER_H

#include "net/conn_state.h"

/* `f` (moved; NULL: memory is out, which ends the conn), a plain answer or a scripted
 * response, leaves. It is counted if it refuses. False: it does not leave, as there is no
 * room for it; a 503 does. */
bool conn_answer(struct conn *c, struct outframe *f, bool keep_alive);

/* A plain answer that says `why`, the last of its connection. `fields` as in answer.h. */
void conn_refuse(struct conn *c, int status, const char *why, const char *fields);

/* A file of the page, or what is answered where there is none. */
void conn_answer_page(struct conn *c, const struct http_head *head);

/* All that was queued of an answer has left: queues the next piece of its file. False:
 * there is none. */
bool conn_answer_continue(struct conn *c);

/* Frees the request that was kept, and counts it. */
void conn_drop_request(struct conn *c);

#endif
