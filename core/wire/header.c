/* header: RFC 6455 5.2 and 5.3. */
#include "wire/header.h"

#include <assert.h>

enum { LEN_16 = 126, LEN_64 = 127 };

/* Reads `n` bytes in network order. */
static uint64_t big_endian(const uint8_t *at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | at[i];
    return value;
}

int ws_header_parse(struct bytes in, struct ws_header *out)
{
    if (in.len < 2)
        return 0;
    uint8_t first = in.at[0];
    bool masked = in.at[1] & 0x80;
    uint64_t len = in.at[1] & 0x7F;
    size_t wide = len == LEN_16 ? 2 : len == LEN_64 ? 8 : 0;
    if (in.len < 2 + wide)
        return 0;
    if (wide) {
        len = big_endian(in.at + 2, wide);
        if (len < (wide == 2 ? LEN_16 : 65536) || len >> 63)
            return -1;
    }
    size_t total = 2 + wide + (masked ? 4 : 0);
    if (in.len < total)
        return 0;
    *out = (struct ws_header){.fin = first & 0x80,
                              .rsv = first >> 4 & 7,
                              .opcode = first & 15,
                              .masked = masked,
                              .len = len};
    if (masked)
        memcpy(out->key, in.at + 2 + wide, 4);
    return (int)total;
}

size_t ws_header_write(uint8_t out[WS_HEADER_WRITE_MAX], bool fin, uint8_t rsv,
                       enum ws_opcode op, uint64_t len)
{
    assert(len >> 63 == 0 && rsv <= 7);
    out[0] = (uint8_t)((fin ? 0x80U : 0U) | (unsigned)rsv << 4 | (unsigned)op);
    if (len < LEN_16) {
        out[1] = (uint8_t)len;
        return 2;
    }
    size_t wide = len < 65536 ? 2 : 8;
    out[1] = wide == 2 ? LEN_16 : LEN_64;
    for (size_t i = 0; i < wide; i++)
        out[2 + i] = (uint8_t)(len >> 8 * (wide - 1 - i));
    return 2 + wide;
}

void ws_unmask(uint8_t *at, size_t len, const uint8_t key[4], size_t offset)
{
    uint8_t turned[8];
    for (size_t i = 0; i < 8; i++)
        turned[i] = key[(offset + i) & 3];
    uint64_t mask, word;
    memcpy(&mask, turned, 8);
    size_t i = 0;
    for (; len - i >= 8; i += 8) {
        memcpy(&word, at + i, 8);
        word ^= mask;
        memcpy(at + i, &word, 8);
    }
    for (; i < len; i++)
        at[i] ^= turned[i & 7];
}
