/* upgrade: the server's side of the opening handshake (RFC 6455 4.2).
 * Does not know: origins, paths or who is welcome; conn and the script decide.
 * Thread: any (pure functions).
 * Owner: nobody; values and the caller's memory. */
#ifndef CHARLUA_WIRE_UPGRADE_H
#define CHARLUA_WIRE_UPGRADE_H

#include "wire/http.h"

enum {
    UPGRADE_ACCEPT_SIZE = 29, /* base64 of 20 bytes, and a NUL */
    UPGRADE_WRITE_MIN = 156,  /* bytes of a response without protocol and extensions */
};

struct upgrade_refusal {
    int status;      /* of the HTTP answer */
    const char *why; /* a static text */
};

/* Does the request want a WebSocket at all? True too when it does so wrongly:
 * upgrade_check then says what is wrong. */
bool upgrade_is_asked(const struct http_head *head);

/* Holds a request against RFC 6455 4.2.1. Returns 0 with Sec-WebSocket-Accept's value in
 * `accept` (4.2.2), or -1 with `refusal`: 405 unless GET; 426 unless version 13 (its
 * answer carries `Upgrade: websocket` and `Sec-WebSocket-Version: 13`, 4.4); 400 for the
 * rest, a body too; 500 when the system has no SHA-1. */
int upgrade_check(const struct http_head *head, char accept[UPGRADE_ACCEPT_SIZE],
                  struct upgrade_refusal *refusal);

/* The first subprotocol that the client offers (RFC 6455 4.1) and that is in `spoken`, a
 * list of names each behind a comma; {NULL, 0}: none. Borrowed from `head`. */
struct bytes upgrade_choose_protocol(const struct http_head *head, struct bytes spoken);

/* Writes the response that accepts (RFC 6455 4.2.2): 156 bytes without `protocol` and
 * `extensions`, each of which may be NULL and is otherwise a value for its field. Returns
 * the bytes written, no NUL among them, or 0 when `size` is too small. */
size_t upgrade_write(char *out, size_t size, const char accept[UPGRADE_ACCEPT_SIZE],
                     const char *protocol, const char *extensions);

#endif
