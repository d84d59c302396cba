/* request: one request while its body comes: the head and, for the rules, what has come
 * so far, in one buffer. Does not know: sockets, answers, caps on all requests together;
 * conn does. Thread: its connection's shard. Owner: the conn, until the request is whole
 * and has been handed on. */
#ifndef CHARLUA_NET_REQUEST_H
#define CHARLUA_NET_REQUEST_H

#include "wire/http.h"

struct request;

enum { REQUEST_WHOLE = 200 }; /* no status to refuse anybody with */

enum request_kind {
    REQUEST_FOR_RULES, /* its body is kept */
    REQUEST_PLAIN      /* its body is passed over */
};

/* A request whose body may have up to `body_max` bytes; `text` is its head, of which a
 * copy is kept. NULL with the status to refuse it with: what body_init says, 503 when
 * memory is out. */
struct request *request_new(enum request_kind kind, const struct http_head *head,
                            struct bytes text, size_t body_max, int *status);
void request_free(struct request *r);

/* Takes the body's bytes off the front of *in. Returns 0 while more has to come, WHOLE,
 * or the status to refuse it with: 400, 413, 503 when memory is out. */
int request_take(struct request *r, struct bytes *in);

/* Why a status that these functions gave is given. */
const char *request_fault(int status);

enum request_kind request_kind(const struct request *r);

/* Valid until the next call of request_take. */
struct bytes request_head(const struct request *r);
struct bytes request_body(const struct request *r);

/* The memory that it takes. */
size_t request_size(const struct request *r);

/* Does the peer wait for a 100 before it sends the body (RFC 9110 10.1.1)? */
bool request_awaits_continue(const struct http_head *head);

#endif
