/* origin: whose a page or a URL is, and which pages may talk to us (RFC 6454 4, RFC 6455
 * 10.2).
 * Does not know: addresses, cookies, what lies behind a URL, or what the script thinks of
 * the client.
 * Thread: any (pure functions).
 * Owner: nobody. */
#ifndef CHARLUA_WIRE_ORIGIN_H
#define CHARLUA_WIRE_ORIGIN_H

#include "base/bytes.h"

enum {
    ORIGIN_URL_MAX = 8 * 1024, /* bytes */
    ORIGIN_MAX = 300,          /* bytes, with the NUL */
};

/* Writes the origin of `url`, "https://example.org:8443", in lower case and without a
 * port that is the scheme's own. Takes http and https, and of the rest only what every
 * parser reads alike: no user, no %XX or characters beyond letters, digits and "-._" in
 * the host, nothing that is not printable ASCII anywhere. Returns how many bytes of `url`
 * the origin takes, or -1. */
int origin_of_url(struct bytes url, char out[ORIGIN_MAX]);

/* Whether `text` is the origin of a service, and nothing behind it. */
bool origin_is_service(const char *text);

/* NULL if `text` is what --origin takes: "*", "null", "file://" or scheme://host[:port],
 * where the first label of the host may be a "*"; else what to say instead. */
const char *origin_fault(const char *text);

/* Whether pages from `origin`, as a browser says it, may talk to us: those whose host is
 * `host` (which is asked, whatever the port), and those that one of the `count` in
 * `allowed` means: "*" anything at all, "*." before a host any one label there. */
bool origin_is_allowed(struct bytes origin, struct bytes host, char *const *allowed,
                       size_t count);

/* Whether `text` is a host's name and nothing else. */
bool origin_is_host(const char *text);

/* Whether `host` (perhaps with a port, as Host says it) is an address, localhost, or one
 * of the `count` in `names`, in any case; a dot at its end does not count. An empty one,
 * of HTTP/1.0, is. */
bool origin_host_is_known(struct bytes host, char *const *names, size_t count);

#endif
