/* utf8: is this UTF-8, judged as the bytes arrive (RFC 3629).
 * Does not know: characters, frames or messages; it never holds a byte.
 * Thread: any (pure functions).
 * Owner: the state is one byte in its owner's struct; zero is the start. */
#ifndef CHARLUA_WIRE_UTF8_H
#define CHARLUA_WIRE_UTF8_H

#include "base/bytes.h"

/* Any other value means: in the middle of a character. */
enum { UTF8_ACCEPT = 0, UTF8_REJECT = 1 };

/* The state after `in`, starting from `state` (UTF8_ACCEPT at first). UTF8_REJECT from
 * the first byte that no valid text can have there (overlong forms, surrogates and what
 * lies above U+10FFFF included, RFC 3629 4), and it stays. A text is complete at
 * UTF8_ACCEPT. */
uint8_t utf8_feed(uint8_t state, struct bytes in);

/* True when `text` is whole, valid UTF-8; the empty text is. */
bool utf8_is_valid(struct bytes text);

#endif
