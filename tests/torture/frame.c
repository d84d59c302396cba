/* frame: WebSocket frames of a client (RFC 6455 5.2) and permessage-deflate without
 * context takeover (RFC 7692 7.2), with one zlib stream each way for everybody. */
#include "torture.h"

#include <string.h>
#include <zlib.h>

size_t frame_write(uint8_t *at, uint8_t first, const void *payload, size_t len)
{
    uint32_t key = random_below(1U << 31);
    size_t n = 0;
    at[n++] = first;
    at[n++] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        at[n++] = (uint8_t)(len >> 8);
        at[n++] = (uint8_t)len;
    }
    memcpy(at + n, &key, 4);
    for (size_t i = 0; i < len; i++)
        at[n + 4 + i] = ((const uint8_t *)payload)[i] ^ at[n + (i & 3)];
    return n + 4 + len;
}

/* Deflates into `out`, with a sync flush whose last four bytes are cut off (7.2.1) or a
 * final block and the octet behind it (7.2.3.4). */
static size_t pack(const void *text, size_t len, uint8_t out[GARBAGE_MAX])
{
    static z_stream z;
    static bool begun;
    bool final = random_below(8) == 0;
    if (!begun && deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8,
                               Z_DEFAULT_STRATEGY) != Z_OK)
        stop("no zlib");
    begun = true;
    deflateReset(&z);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = GARBAGE_MAX;
    deflate(&z, final ? Z_FINISH : Z_SYNC_FLUSH);
    size_t n = GARBAGE_MAX - z.avail_out;
    if (z.avail_in || n < 4 || z.avail_out < 64)
        stop("a message that does not fit");
    if (!final)
        return n - 4;
    out[n] = 0;
    return n + 1;
}

size_t frame_write_packed(uint8_t *at, const void *text, size_t len)
{
    uint8_t packed[GARBAGE_MAX];
    size_t n = pack(text, len, packed);
    t.packed++;
    if (random_below(4))
        return frame_write(at, 0xc1, packed, n);
    size_t cut = random_below((uint32_t)n), used = frame_write(at, 0x41, packed, cut);
    return used + frame_write(at + used, 0x80, packed + cut, n - cut);
}

ssize_t frame_unpack(const uint8_t *payload, size_t len, char out[FRAME_MAX])
{
    static const uint8_t tail[4] = {0, 0, 0xff, 0xff};
    static z_stream z;
    static bool begun;
    if (!begun && inflateInit2(&z, -15) != Z_OK)
        stop("no zlib");
    begun = true;
    inflateReset(&z);
    z.next_out = (Bytef *)out;
    z.avail_out = FRAME_MAX;
    for (int part = 0; part < 2; part++) {
        z.next_in = (Bytef *)(uintptr_t)(part ? tail : payload);
        z.avail_in = (uInt)(part ? sizeof tail : len);
        int status = inflate(&z, Z_SYNC_FLUSH);
        if ((status != Z_OK && status != Z_BUF_ERROR) || z.avail_in)
            return -1;
    }
    size_t n = FRAME_MAX - z.avail_out;
    t.unpacked++;
    t.unpacked_from += len;
    t.unpacked_to += n;
    return (ssize_t)n;
}
