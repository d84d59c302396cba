/* answer: HTTP responses other than 101, built whole (RFC 9110, RFC 9112).
 * Does not know: sockets, files, or why this answer was chosen.
 * Thread: any.
 * Owner: the caller gets a reference to a new frame. */
#ifndef CHARLUA_WIRE_ANSWER_H
#define CHARLUA_WIRE_ANSWER_H

#include "wire/frame.h"

struct answer {
    int status;
    const char *type;   /* Content-Type; NULL: text/plain in UTF-8 */
    const char *fields; /* further field lines, each ending in CRLF; NULL: none */
    struct bytes body;
    bool head_only; /* asked with HEAD: the length is told, the body is not sent */
    bool keep_alive;
};

/* The answer as bytes for the socket; NULL when memory is out. */
struct frame *answer_new(const struct answer *a);

/* A short text answer that says `why`, closing the connection. */
struct frame *answer_error(int status, const char *why, const char *fields);

#endif
