/* buf: doubling growth, from 64 bytes. */
#include "base/buf.h"

#include <stdlib.h>

void buf_deinit(struct buf *b)
{
    free(b->at);
    *b = (struct buf){0};
}

int buf_reserve(struct buf *b, size_t more)
{
    if (b->cap - b->len >= more)
        return 0;
    if (more > SIZE_MAX / 2 - b->len)
        return -1;
    size_t cap = b->cap ? b->cap : 64;
    while (cap - b->len < more)
        cap *= 2;
    uint8_t *at = realloc(b->at, cap);
    if (!at)
        return -1;
    b->at = at;
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, struct bytes add)
{
    if (add.len == 0)
        return 0;
    if (buf_reserve(b, add.len) < 0)
        return -1;
    memcpy(b->at + b->len, add.at, add.len);
    b->len += add.len;
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n == b->len) {
        buf_deinit(b);
        return;
    }
    memmove(b->at, b->at + n, b->len - n);
    b->len -= n;
}
