/* client: frames as a WebSocket client writes them, for tests of the server's side.
 * Does not know: what the server makes of them.
 * Thread: any (pure functions).
 * Owner: nobody; it writes to the caller's memory. */
#ifndef CHARLUA_UNIT_CLIENT_H
#define CHARLUA_UNIT_CLIENT_H

#include "wire/header.h"

enum { FIN = 0x80 };

/* Writes one masked frame (header of at most 14 bytes, then `payload`) whose first byte
 * is `first`: FIN or not, RSV bits, opcode. Returns its length. */
static inline size_t client_frame(uint8_t *out, unsigned first, struct bytes payload)
{
    static const uint8_t key[4] = {0xA5, 0x01, 0x80, 0x3C};
    size_t n = ws_header_write(out, true, 0, WS_TEXT, payload.len);
    out[0] = (uint8_t)first;
    out[1] |= 0x80;
    memcpy(out + n, key, 4);
    n += 4;
    if (payload.len)
        memcpy(out + n, payload.at, payload.len);
    ws_unmask(out + n, payload.len, key, 0);
    return n + payload.len;
}

#endif
