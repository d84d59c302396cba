/* conn_answer: what leaves before an upgrade: plain answers, refusals, scripted responses
 * and the pieces of files, each with the fields that the connection itself adds.
 * Does not know: why something is answered.
 * Thread: the conn's shard's.
 * Owner: nobody; these are functions on a conn. conn_respond is declared in conn.h. */
#ifndef CHARLUA_NET_CONN_ANSWER_H
#define CHARLUA_NET_CONN_ANSWER_H

#include "net/conn_state.h"

struct file;

/* The request is answered with `a`; date, head_only and further fields are added here. An
 * answer that refuses is counted, whatever it is. False: there is no room for it, so
 * another leaves. */
bool conn_answer(struct conn *c, const struct answer *a);

/* The same for a file, of which `rest`, which is moved, leaves behind the first piece;
 * NULL: there is nothing more. */
void conn_answer_file(struct conn *c, const struct answer *a, struct file *rest);

/* All that was queued of an answer has left: queues the next piece of its file. False:
 * there is none. */
bool conn_answer_continue(struct conn *c);

/* A plain answer that says `why`, a static text, and is the last one. `head` is the
 * request's, or NULL if it was not read. */
void conn_refuse(struct conn *c, const struct http_head *head, int status,
                 const char *why, const char *fields);

/* Frees the request or the file that is kept. */
void conn_drop_request(struct conn *c);

#endif
