/* conn_admit: who may ask: by the name that is asked for, by what a trusted proxy says of
 * its client, by the page's origin. Whoever may not is refused here.
 * Does not know: what is asked for, or what is answered.
 * Thread: the conn's shard's.
 * Owner: nobody; these are functions on a conn before its upgrade. */
#ifndef CHARLUA_NET_CONN_ADMIT_H
#define CHARLUA_NET_CONN_ADMIT_H

#include "net/conn_proxy.h"

/* A request whose head is whole. All of it is borrowed. */
struct asked {
    const struct http_head *head;
    struct bytes text;      /* of the head */
    struct proxy_said said; /* by a trusted proxy; else nothing */
    struct bytes host;      /* that the client asked for */
};

/* Fills in what lies beyond the head. */
void conn_admit_read(const struct conn *c, struct asked *a);

/* Whether the host that is asked for is one of ours (RFC 9110 15.5.20). */
bool conn_admit_host(struct conn *c, const struct asked *a);

/* Whether the client that a proxy speaks for, and a page's origin, may have more than
 * pages from us. From now on that client is the conn's. */
bool conn_admit(struct conn *c, const struct asked *a);

/* Whether what a proxy said lets the request go on. `malformed` says why it does not. */
bool conn_admit_verdict(struct conn *c, const struct http_head *head,
                        enum proxy_verdict verdict, const char *malformed);

#endif
