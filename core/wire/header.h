/* header: the head of one WebSocket frame, and the mask (RFC 6455 5.2, 5.3).
 * Does not know: which opcodes, bits or lengths are allowed now; messages judges.
 * Thread: any (pure functions).
 * Owner: nobody; values and the caller's memory. */
#ifndef CHARLUA_WIRE_HEADER_H
#define CHARLUA_WIRE_HEADER_H

#include "base/bytes.h"
#include "wire/opcode.h"

enum {
    WS_HEADER_MAX = 14,       /* bytes, masked */
    WS_HEADER_WRITE_MAX = 10, /* bytes, unmasked */
};

struct ws_header {
    bool fin;
    uint8_t rsv;    /* RSV1 is 4, RSV2 is 2, RSV3 is 1 */
    uint8_t opcode; /* 0-15: not yet known to be an enum ws_opcode */
    bool masked;
    uint8_t key[4]; /* zeros when not masked */
    uint64_t len;   /* as announced: nothing to trust, at most 2^63 - 1 */
};

/* Reads the frame header that opens `in` (RFC 6455 5.2). Returns the bytes that it takes
 * (2 to 14), 0 when more are needed, or -1 when the length is not in its shortest form or
 * has its highest bit set. `out` is written only when the result is positive. */
int ws_header_parse(struct bytes in, struct ws_header *out);

/* Writes an unmasked header (a server's, RFC 6455 5.1) with `rsv` as in struct ws_header.
 * Returns the bytes written: 2, 4 or 10. `len` is below 2^63. */
size_t ws_header_write(uint8_t out[WS_HEADER_WRITE_MAX], bool fin, uint8_t rsv,
                       enum ws_opcode op, uint64_t len);

/* Masks or unmasks `len` bytes in place (RFC 6455 5.3). `offset` is the position of at[0]
 * in the frame's payload, so that a payload may come in pieces of any size. */
void ws_unmask(uint8_t *at, size_t len, const uint8_t key[4], size_t offset);

#endif
