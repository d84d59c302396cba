/* answer: HTTP responses other than 101, built whole (RFC 9110, RFC 9112).
 * Does not know: sockets, files, or why this answer was chosen.
 * Thread: any.
 * Owner: the caller gets a reference to a new frame. */
#ifndef CHARLUA_WIRE_ANSWER_H
#define CHARLUA_WIRE_ANSWER_H

#include "wire/outframe.h"

enum {
    ANSWER_FIELDS_MAX = 7 * 1024, /* bytes of type and further fields */
    ANSWER_DATE_SIZE = 30,        /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */
};

struct answer {
    int status;
    const char *type;   /* Content-Type; NULL: text/plain in UTF-8 */
    const char *fields; /* further field lines, each ending in CRLF; NULL: none */
    const char *own;    /* the same, of the server's own, behind them; NULL: none */
    const char *date;   /* now, as answer_date writes it; NULL or empty: no clock */
    struct bytes body;
    size_t more;    /* bytes of the body that follow it, which the caller sends */
    bool head_only; /* asked with HEAD: the length is told, the body is not sent */
    bool keep_alive;
};

/* The answer as bytes for the socket; with 204, 205 and 304 without the body (RFC 9110
 * 15.3.5, 15.3.6, 15.4.5). NULL when memory is out or the head too large. */
struct outframe *answer_new(const struct answer *a);

/* Whether an answer of that status has a body at all. */
bool answer_has_body(int status);

/* A short text answer that says `why`; of `a` without its body. */
struct outframe *answer_error(const struct answer *a, const char *why);

/* The status that an answer made here says. */
int answer_status(const struct outframe *f);

/* Writes the time, in seconds since 1970, as the field Date has it (RFC 9110 5.6.7), in
 * no locale. From 0 to the year 9999. */
void answer_date(int64_t seconds, char out[ANSWER_DATE_SIZE]);

#endif
