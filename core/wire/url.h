/* url: whose an absolute URL is: its origin (RFC 3986, RFC 6454 section 4).
 * Does not know: what lies behind the URL, or who may go there.
 * Thread: any (pure functions).
 * Owner: nobody. */
#ifndef CHARLUA_WIRE_URL_H
#define CHARLUA_WIRE_URL_H

#include "base/bytes.h"

enum {
    URL_MAX = 8 * 1024,   /* bytes */
    URL_ORIGIN_MAX = 300, /* bytes, with the NUL */
};

/* Writes the origin of `url`, "https://example.org:8443", in lower case and without a
 * port that is the scheme's own. Takes http and https, and of the rest only what every
 * parser reads alike: no user, no %XX or characters beyond letters, digits and "-._" in
 * the host, nothing that is not printable ASCII anywhere. Returns how many bytes of `url`
 * the origin takes, or -1. */
int url_origin(struct bytes url, char out[URL_ORIGIN_MAX]);

/* Whether `text` is an origin and nothing behind it. */
bool url_is_origin(const char *text);

#endif
