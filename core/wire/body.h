/* body: a request's body out of the bytes behind its head, strictly (RFC 9112 6, 7.1).
 * Does not know: where the bytes come from, where the body is kept.
 * Thread: any (pure functions).
 * Owner: embedded in its owner's struct; it owns no memory. */
#ifndef CHARLUA_WIRE_BODY_H
#define CHARLUA_WIRE_BODY_H

#include "wire/http.h"

enum { BODY_LINES_MAX = 4096 }; /* bytes of a chunk's line, and of the whole trailer */

struct body {
    size_t left; /* bytes that are still to come, of the body or of the present chunk */
    size_t room; /* bytes that a later chunk may still have */
    uint32_t lines; /* bytes of the present line, or of the trailer so far */
    uint8_t state;
};

enum body_step {
    BODY_MORE,  /* all of the input is taken, and more has to come */
    BODY_PIECE, /* a piece of the body */
    BODY_DONE,  /* it is whole; what is left of the input is not its own */
    BODY_TOO_LARGE,
    BODY_MALFORMED
};

/* Begins the body of a request whose head is `head`, as http_head_parse took it. Returns
 * 0, or the status to refuse it with: 413 for more than `max` bytes, 501 for a transfer
 * coding beside chunked, 400 where the length is anybody's guess (RFC 9112 6.1, 6.3). */
int body_init(struct body *b, const struct http_head *head, size_t max);

/* Takes bytes off the front of *in, as far as one step goes; `piece` borrows from it.
 * Extensions of chunks and the trailer are held to the grammar's characters and passed
 * over. After TOO_LARGE and MALFORMED there is nothing more to ask. */
enum body_step body_next(struct body *b, struct bytes *in, struct bytes *piece);

#endif
