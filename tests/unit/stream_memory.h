/* stream_memory: a stream without a socket: what the peer sends is a slice, what it takes
 * is kept, and a script says how much of either each call moves.
 * Does not know: what the bytes mean.
 * Thread: one.
 * Owner: the test; the stream's free only notes that it was called. */
#ifndef CHARLUA_UNIT_STREAM_MEMORY_H
#define CHARLUA_UNIT_STREAM_MEMORY_H

#include "base/bytes.h"
#include "net/stream.h"

enum { MEMORY_OUT_MAX = 1 << 18, MEMORY_ALL = 1 << 30 };

/* What the calls give in turn: at most so many bytes, or STREAM_END, _AGAIN or _ERROR.
 * After the last step every call gives `rest`. */
struct memory_script {
    const ssize_t *steps;
    size_t count, at;
    ssize_t rest;
};

struct stream_memory {
    struct stream stream;
    struct bytes in; /* what the peer has sent and nobody has read; then AGAIN */
    struct memory_script reads, writes;
    uint8_t out[MEMORY_OUT_MAX]; /* all that was written */
    size_t out_len;
    size_t write_calls;
    bool pending;     /* the answer of is_pending while `in` is not empty */
    unsigned fins;    /* calls of shutdown */
    unsigned freed;   /* calls of free */
    bool wrote_after; /* something was written after the FIN */
};

/* A peer that sends nothing and takes everything. */
void stream_memory_init(struct stream_memory *s);

/* All that was written so far. */
struct bytes stream_memory_out(const struct stream_memory *s);

#endif
