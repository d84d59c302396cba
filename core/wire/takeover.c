/* takeover: The problem: Tornado and Mojolicious agree to client_no_context_takeover and
 * then compress with one context all the same, so their second message refers back into
 * the first and ended in 1007. zlib says for sure when a message does that ("invalid
 * distance too far back"), and with the last 32 KiB of what the client said before as a
 * dictionary it inflates. But 32 KiB for every client that compresses would be ten times
 * what an idle one costs.
 *
 * The idea: keep the tail only until a client has shown that it does not look back. A
 * compressor with a context would not have spelled out again what it has just said. The
 * client says {"type":"login"}, then {"type":"say"...: `{"type":` was there 15 bytes ago,
 * and the message inflated without a dictionary, so this client does not look back. Two
 * such messages and the tail is freed for good, so one that logs in and speaks twice
 * costs nothing more. One that is caught looking back has its tail kept and put before
 * every message from then on.
 *
 * What counts as such a message is strict, for a wrong guess is a broken connection: its
 * first 8 bytes stand within the last 224 of the tail (in reach of the smallest window,
 * whose 512 bytes zlib uses 250 of) and no three of them repeat (else the compressor
 * might point at the message itself). Messages that start anew each time, as of random
 * bytes, prove nothing; after 16 the client is believed. */
#include "wire/takeover.h"

#include "base/buf.h"

#include <stdlib.h>

enum {
    TAIL_MAX = 32 * 1024, /* the largest window */
    PROBE_BYTES = 8,
    PROBE_REACH = 224,
    PROOFS = 2,
    MESSAGES_MAX = 16,
};

struct takeover {
    struct buf tail; /* the end of what was inflated */
    uint8_t messages, proofs;
    bool is_needed;
};

int takeover_inflate(struct takeover *t, struct deflate *d, struct bytes in, size_t limit,
                     struct bytes *out)
{
    struct bytes none = {0};
    if (t && t->is_needed)
        return deflate_inflate(d, in, buf_bytes(&t->tail), limit, out);
    int code = deflate_inflate(d, in, none, limit, out);
    if (code != WS_CLOSE_BAD_DATA || !t)
        return code;
    code = deflate_inflate(d, in, buf_bytes(&t->tail), limit, out);
    t->is_needed = code == 0;
    return code;
}

/* Would a compressor that remembers the tail have pointed there for the start of
 * `message`? */
static bool is_proof(const struct takeover *t, struct bytes message)
{
    struct bytes near = buf_bytes(&t->tail);
    if (message.len < PROBE_BYTES)
        return false;
    for (size_t i = 0; i + 3 <= PROBE_BYTES; i++)
        for (size_t j = i + 1; j + 3 <= PROBE_BYTES; j++)
            if (memcmp(message.at + i, message.at + j, 3) == 0)
                return false;
    if (near.len > PROBE_REACH)
        near = bytes_skip(near, near.len - PROBE_REACH);
    return near.len && memmem(near.at, near.len, message.at, PROBE_BYTES);
}

/* Appends to the tail and cuts it. Returns 0, or -1 when memory is out: then it has a
 * gap. */
static int extend(struct buf *tail, struct bytes message)
{
    if (message.len > TAIL_MAX)
        message = bytes_skip(message, message.len - TAIL_MAX);
    size_t keep = tail->len < TAIL_MAX - message.len ? tail->len : TAIL_MAX - message.len;
    /* First, so that the buffer stays within the window's size. */
    if (tail->at && keep < tail->len)
        memmove(tail->at, tail->at + tail->len - keep, keep);
    tail->len = keep;
    return buf_append(tail, message);
}

enum takeover_result takeover_note(struct takeover **t, struct bytes message)
{
    struct takeover *own = *t ? *t : calloc(1, sizeof *own);
    if (!own)
        return TAKEOVER_NO_MEMORY;
    if (message.len == 0) {
        *t = own;
        return TAKEOVER_WATCHED;
    }
    bool proof = is_proof(own, message);
    if (extend(&own->tail, message) < 0) {
        if (!*t)
            free(own);
        return TAKEOVER_NO_MEMORY;
    }
    *t = own;
    own->proofs = (uint8_t)(own->proofs + proof);
    own->messages = (uint8_t)(own->messages + (own->messages < MESSAGES_MAX));
    if (own->is_needed || (own->proofs < PROOFS && own->messages < MESSAGES_MAX))
        return TAKEOVER_WATCHED;
    takeover_free(own);
    *t = NULL;
    return TAKEOVER_SETTLED;
}

bool takeover_is_needed(const struct takeover *t)
{
    return t && t->is_needed;
}

size_t takeover_size(const struct takeover *t)
{
    return t ? sizeof *t + t->tail.cap : 0;
}

void takeover_free(struct takeover *t)
{
    if (t)
        buf_deinit(&t->tail);
    free(t);
}
