/* name_key: one key for all spellings of a name that people take for the same.
 * Does not know: what is named, who may have which name.
 * Thread: any (a pure function).
 * Owner: nobody; the caller owns the buffer. */
#ifndef CHARLUA_SCRIPT_NAME_KEY_H
#define CHARLUA_SCRIPT_NAME_KEY_H

#include "base/buf.h"

enum { NAME_KEY_MAX = 512 }; /* bytes of a name */

enum name_key {
    NAME_KEY_OK,
    NAME_KEY_INVISIBLE, /* it has no visible character */
    NAME_KEY_MALFORMED, /* it is not UTF-8 */
    NAME_KEY_TOO_LONG,
    NAME_KEY_NO_MEMORY,
};

/* Appends the key of `name` to `out`: UTF-8 in NFKC, case folded (Unicode 3.13, D146),
 * without white space, control and format characters and blanks. The key of a key is
 * itself. Appends only on NAME_KEY_OK. */
enum name_key name_key(struct bytes name, struct buf *out);

#endif
