/* deflate: permessage-deflate (RFC 7692): its negotiation, and whole messages in and out
 * of zlib, without context takeover either way, so that no connection owns zlib state and
 * a broadcast is compressed once. Does not know: sockets, sessions, or who receives a
 * frame. Thread: a struct deflate belongs to one; frames and their twins are shared.
 * Owner: the shard. */
#ifndef CHARLUA_WIRE_DEFLATE_H
#define CHARLUA_WIRE_DEFLATE_H

#include "wire/outframe.h"
#include "wire/http.h"

struct deflate;

enum {
    DEFLATE_RESPONSE_SIZE = 128,
    DEFLATE_JOIN_MAX = 64, /* frames */
};

/* Answers the offers of a request (RFC 7692 5, 7.1): the first one without unknown,
 * doubled or invalid parameters is accepted. Returns the bits of the window that the peer
 * can decompress with (8 to 15) and the value of our Sec-WebSocket-Extensions in
 * `response`, or 0: no offer, or none that is valid. */
int deflate_negotiate(const struct http_head *head, char response[DEFLATE_RESPONSE_SIZE]);

/* `min`: payloads of fewer bytes are not compressed, nor are those that get no smaller;
 * 0: every message is, for clients that can't read others once they have negotiated.
 * zlib's memory is taken at the first use. NULL when memory is out. */
struct deflate *deflate_new(size_t min);
void deflate_free(struct deflate *d);

/* Whether a peer whose window has `bits` can have what deflate_new promised: `bits`, or
 * 0, then permessage-deflate is declined. */
int deflate_bits(const struct deflate *d, int bits);

/* Inflates a message's payload (RFC 7692 7.2.2) of at most `limit` bytes, which may refer
 * back into `dictionary`, usually empty. Returns 0 with
 * *out valid until the next call, or the close code: 1007 for what is no DEFLATE, 1009
 * beyond the limit (never more than that is in memory), 1011 when memory is out. */
int deflate_inflate(struct deflate *d, struct bytes in, struct bytes dictionary,
                    size_t limit, struct bytes *out);

/* What to send of `f`, a frame, to a peer whose window has `bits`: `f` itself or its
 * compressed twin, which is made at the first call. Borrowed from `f`. A joined frame's
 * twin is deflate_join's business. */
struct outframe *deflate_frame(struct deflate *d, struct outframe *f, int bits);

/* Gives `joined`, the outframe_join of `count` (at most DEFLATE_JOIN_MAX) parts, the join
 * of their twins as its twin, if any part is worth compressing and memory is not out;
 * else it goes out plain. */
void deflate_join(struct deflate *d, struct outframe *const *parts, size_t count,
                  struct outframe *joined);

#endif
