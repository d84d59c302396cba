/* buf: a growable byte buffer that costs nothing while it is empty.
 * Does not know: what the bytes mean; caps belong to the caller.
 * Thread: the one that owns it.
 * Owner: embedded in its owner's struct; a zeroed struct is an empty buffer. */
#ifndef CHARLUA_BASE_BUF_H
#define CHARLUA_BASE_BUF_H

#include "base/bytes.h"

struct buf {
    uint8_t *at;
    size_t len;
    size_t cap;
};

/* Frees the memory; the buffer is empty again and may be used further. */
void buf_deinit(struct buf *b);

/* Room for `more` bytes after b->len. Returns 0, or -1 when memory is out (unchanged). */
int buf_reserve(struct buf *b, size_t more);

/* Appends a copy of `add`. Returns 0, or -1 when memory is out (unchanged). */
int buf_append(struct buf *b, struct bytes add);

/* Drops the first `n` (at most b->len) bytes; frees the memory when nothing is left. */
void buf_consume(struct buf *b, size_t n);

/* What it holds; valid until the buffer changes. */
static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->at, b->len};
}

#endif
