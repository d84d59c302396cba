/* http: a request's head to slices, strictly (RFC 9112), and questions about it.
 * Does not know: methods, paths or bodies; whoever asks decides.
 * Thread: any (pure functions).
 * Owner: the caller; every slice borrows the head's bytes. */
#ifndef CHARLUA_WIRE_HTTP_H
#define CHARLUA_WIRE_HTTP_H

#include "base/bytes.h"

enum { HTTP_FIELDS_MAX = 256 };

struct http_field {
    struct bytes name, value; /* the value without white space around it */
};

struct http_head {
    struct bytes method;
    struct bytes target; /* as sent */
    struct bytes path;   /* the target up to '?', never empty, not decoded; "*" only with
                            OPTIONS */
    struct bytes query;  /* what follows '?', or empty */
    struct bytes host;   /* who is asked, with the port: a target in absolute form says it
                            (RFC 9112 3.2.2), else the field Host; may be empty in 1.0 */
    int minor;           /* HTTP/1.minor */
    size_t field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

struct http_limits {
    size_t head;   /* bytes, the blank line included */
    size_t fields; /* at most HTTP_FIELDS_MAX are allowed, whatever this says */
};

/* May `c` stand in a token, like a method or a field's name (RFC 9110 5.6.2)? */
bool http_is_token_byte(uint8_t c);

/* Can `text` be a Host's value: a host, perhaps with a port (RFC 9112 3.2)? */
bool http_is_host(struct bytes text);

/* The length of the head that opens `in`, its blank line included, or 0 while that has
 * not arrived. A bare LF ends it too, as http_head_parse refuses it wherever it stands.
 * `from` is how many bytes of `in` an earlier call has searched (0 at first). */
size_t http_head_end(struct bytes in, size_t from);

/* Reads one whole head, as http_head_end found it (RFC 9112 2.2, 3, 5). Returns 0, or the
 * status to refuse it with (`out` is then undefined): 431 over the limits; 505 unless
 * HTTP/1.x; 400 for the rest: a line that does not follow the grammar (no white space or
 * line end is forgiven: no folding, no bare CR or LF), a target that is not a path or an
 * http URI (3.2), a Host that is missing (in 1.1), doubled or malformed, and lengths that
 * could be read in two ways (6.3). */
int http_head_parse(struct bytes head, const struct http_limits *limits,
                    struct http_head *out);

/* The first field called `name` in any case, or NULL. */
const struct http_field *http_find(const struct http_head *head, const char *name);

/* Is `token`, in any case, in the comma separated lists of all fields called `name`
 * (RFC 9110 5.6.1)? */
bool http_has_token(const struct http_head *head, const char *name, const char *token);

/* Do bytes of a body follow the head (RFC 9112 6.3)? */
bool http_has_body(const struct http_head *head);

/* May the connection carry another request (RFC 9112 9.3)? */
bool http_keep_alive(const struct http_head *head);

/* Does the request carry just this secret, `Authorization: Bearer SECRET` (RFC 6750 2.1)?
 * How long that takes tells nothing but the secret's length. False for an empty one. */
bool http_has_bearer(const struct http_head *head, struct bytes secret);

/* The reason phrase of `status` (RFC 9110 15), or "" for one that the list does not have.
 */
const char *http_reason(int status);

#endif
