/* takeover: a client that keeps its compression context from one message to the next,
 * though it agreed not to (RFC 7692 7.1.1.2).
 * Does not know: the connection, or caps on all contexts together; conn asks
 * takeover_size. Thread: the one that owns the connection. Owner: the conn, from the
 * client's first compressed message until it is known to keep no context: then there is
 * none. */
#ifndef CHARLUA_WIRE_TAKEOVER_H
#define CHARLUA_WIRE_TAKEOVER_H

#include "wire/deflate.h"

struct takeover;

enum takeover_result {
    TAKEOVER_WATCHED,  /* the client's next messages may still need what is kept */
    TAKEOVER_SETTLED,  /* the client keeps no context: *t is NULL, and is to stay so */
    TAKEOVER_NO_MEMORY /* *t, if there is one, is of no more use */
};

/* Inflates like deflate_inflate, and once more with what the client said before where
 * that fails. `t` NULL: nothing is known. */
int takeover_inflate(struct takeover *t, struct deflate *d, struct bytes in, size_t limit,
                     struct bytes *out);

/* `message` of the client was inflated. *t is made at its first one. */
enum takeover_result takeover_note(struct takeover **t, struct bytes message);

/* Whether the client has been caught keeping its context: without *t it can't be read. */
bool takeover_is_needed(const struct takeover *t);

/* The memory that it takes; `t` may be NULL. */
size_t takeover_size(const struct takeover *t);
void takeover_free(struct takeover *t);

#endif
