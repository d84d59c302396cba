/* api_request: the type `request`, as its makers see it.
 * Does not know: who asks, and what for.
 * Thread: the host's.
 * Owner: nobody. */
#ifndef CHARLUA_SCRIPT_API_REQUEST_H
#define CHARLUA_SCRIPT_API_REQUEST_H

#include "base/addr.h"
#include "base/bytes.h"

#include <lua.h>

/* What a request is made of; all of it is copied. */
struct request_parts {
    struct bytes head;
    struct bytes subject; /* of the client's certificate, or empty */
    struct bytes body;
    const struct addr *from;
    bool secure;
};

/* Pushes a request. [-0, +1] */
void request_push(lua_State *L, const struct request_parts *parts);

/* Adds a field of HTTP to the table on top: its name in lower case, joined with ", " to
 * what is there (RFC 9110 5.3). [-0, +0] */
void request_add_field(lua_State *L, struct bytes name, struct bytes value);

#endif
