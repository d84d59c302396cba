/* base64url: bytes as text that fits into URLs and tokens (RFC 4648 section 5), without
 * padding. Does not know: what the bytes are.
 * Thread: any (pure functions).
 * Owner: nobody. */
#ifndef CHARLUA_WIRE_BASE64URL_H
#define CHARLUA_WIRE_BASE64URL_H

#include "base/bytes.h"

/* How many characters `len` bytes become. */
static inline size_t base64url_length(size_t len)
{
    return len / 3 * 4 + (len % 3 * 4 + 2) / 3;
}

/* Writes base64url_length(in.len) characters to `out`, without a NUL. */
void base64url_encode(struct bytes in, char *out);

/* Decodes to `out`, which has room for text.len / 4 * 3 + 2 bytes. Returns how many there
 * are, or -1 for anything but what base64url_encode makes: padding, other characters, a
 * length that nothing encodes to, bits that are left over and not zero. */
ptrdiff_t base64url_decode(struct bytes text, uint8_t *out);

#endif
