/* origin: may a page from there talk to us? (RFC 6454, RFC 6455 10.2)
 * Does not know: addresses, cookies, or what the script thinks of the client.
 * Thread: any (pure functions).
 * Owner: nobody. */
#ifndef CHARLUA_WIRE_ORIGIN_H
#define CHARLUA_WIRE_ORIGIN_H

#include "wire/http.h"

/* Whether `text` is what --origin takes: "*" or scheme://host[:port]. */
bool origin_is_valid(const char *text);

/* True for a request without Origin (not a browser's), with one whose host is that of the
 * Host field, whatever the port, or with one of the `count` in `allowed` ("*": any).
 * False for all else, "null" too. */
bool origin_is_allowed(const struct http_head *head, char *const *allowed, size_t count);

#endif
