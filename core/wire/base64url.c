/* base64url: bits go through one number; OpenSSL's decoder takes padding and white space,
 * which would let one token have several texts. */
#include "wire/base64url.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(struct bytes in, char *out)
{
    uint32_t bits = 0;
    int count = 0; /* of bits that are not written yet */
    for (size_t i = 0; i < in.len; i++) {
        bits = bits << 8 | in.at[i];
        for (count += 8; count >= 6; count -= 6)
            *out++ = alphabet[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *out = alphabet[bits << (6 - count) & 63];
}

/* The six bits that `c` stands for, or -1. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ptrdiff_t base64url_decode(struct bytes text, uint8_t *out)
{
    const uint8_t *begin = out;
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.at[i]);
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (uint8_t)(bits >> count);
        }
    }
    if (count == 6 || bits & ((1U << count) - 1))
        return -1;
    return out - begin;
}
