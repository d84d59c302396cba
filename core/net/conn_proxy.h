/* conn_proxy: who the client behind a trusted proxy is: the PROXY protocol's header in
 * front of the first request or of the encryption, or the request's own fields.
 * Does not know: what is answered to one that may not connect; conn_http does.
 * Thread: the conn's shard's.
 * Owner: nobody; these are functions on a conn before its upgrade. */
#ifndef CHARLUA_NET_CONN_PROXY_H
#define CHARLUA_NET_CONN_PROXY_H

#include "net/conn_state.h"
#include "wire/proxy.h"

enum proxy_verdict {
    PROXY_MORE,       /* a header has come in part */
    PROXY_DONE,       /* what follows is the peer's own */
    PROXY_MALFORMED,  /* a header that is none */
    PROXY_TURNED_AWAY /* the client may not connect */
};

/* Takes a trusted proxy's PROXY header off what has come. */
enum proxy_verdict conn_proxy_take(struct conn *c);

/* Whether a trusted proxy may still say something in front of the encryption. */
bool conn_proxy_awaits_raw(const struct conn *c);

/* Takes the PROXY header of a trusted proxy from in front of the encryption, and not one
 * byte more. True: what follows is TLS. Nothing can be answered there: what is wrong, or
 * one client too many, ends the conn. */
bool conn_proxy_take_raw(struct conn *c);

/* Whether the peer is a trusted proxy, whose fields count. */
bool conn_proxy_is_trusted(const struct conn *c);

/* What a trusted proxy says in a request's fields; nothing of anybody else. */
void conn_proxy_read(const struct conn *c, const struct http_head *head,
                     struct proxy_said *out);

/* Makes the conn its client's: PROXY_DONE or PROXY_TURNED_AWAY. */
enum proxy_verdict conn_proxy_believe(struct conn *c, const struct proxy_said *said);

#endif
