/* proxy: who a trusted proxy says the client is: the PROXY protocol (versions 1 and 2,
 * haproxy's proxy-protocol.txt), Forwarded (RFC 7239) and X-Forwarded-For. Does not know:
 * sockets, or whether the peer is trusted; conn asks only then. Thread: any (pure
 * functions). Owner: nobody. */
#ifndef CHARLUA_WIRE_PROXY_H
#define CHARLUA_WIRE_PROXY_H

#include "base/cidr.h"
#include "wire/http.h"

enum { PROXY_HEADER_MAX = 16 + 65535 };

/* Could `in` be the beginning of a PROXY header? Anything but the two signatures is not.
 */
bool proxy_is_begun(struct bytes in);

/* How many bytes of the header that `in` begins are surely still to come, at least 1:
 * who reads no more than that takes nothing of what follows it. `in` is not whole. */
size_t proxy_missing(struct bytes in);

/* What a trusted proxy says, in a PROXY header or in the fields of a request. */
struct proxy_said {
    bool has_client, has_scheme;
    struct addr client;
    bool secure;       /* if has_scheme: https */
    struct bytes host; /* that the client asked for; {NULL, 0}: not said. Borrowed */
    bool ignored;      /* there is a Forwarded, which does not count */
};

/* Reads the PROXY header that opens `in`. Returns its bytes, with what it says in *out:
 * nothing, if that is LOCAL or UNKNOWN; 0 when more is needed; -1 when it is malformed.
 */
int proxy_parse(struct bytes in, struct proxy_said *out);

/* Reads X-Forwarded-For, -Proto and -Host where there is an X-Forwarded-For or no
 * Forwarded; else Forwarded (RFC 7239). Of the lists what the outermost trusted proxy has
 * written: the client is the last address that is not itself trusted, and its scheme and
 * host stand beside it. */
void proxy_read(const struct http_head *head, const struct cidr *trusted, size_t count,
                struct proxy_said *out);

#endif
