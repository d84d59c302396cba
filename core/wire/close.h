/* close: what the payload of a Close frame says, and which codes a peer may say.
 * Does not know: the closing handshake; conn follows it.
 * Thread: any (pure functions).
 * Owner: nobody; the reason is a slice of the payload. */
#ifndef CHARLUA_WIRE_CLOSE_H
#define CHARLUA_WIRE_CLOSE_H

#include "base/bytes.h"

/* May anyone put `code` into a Close frame? 1000-1003, 1007-1011 (RFC 6455 7.4),
 * 1012-1014 (in the IANA registry since: service restart, try again later, bad gateway; a
 * proxy or a client that speaks for a server says them) and 3000-4999. */
bool close_code_is_valid(unsigned code);

/* Reads a Close frame's payload (RFC 6455 5.5.1). Returns 0 with *code (1005 when the
 * payload is empty, 7.1.5) and *reason, a slice of `payload`; or the code to fail the
 * connection with, both unwritten: 1002 for a lone byte or a code that is not valid, 1007
 * for a reason that is not UTF-8. */
int close_payload_parse(struct bytes payload, uint16_t *code, struct bytes *reason);

#endif
