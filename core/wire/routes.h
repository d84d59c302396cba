/* routes: the paths that the rules answer, and by which methods.
 * Does not know: the handlers, or what else the server has at a path.
 * Thread: any (pure functions).
 * Owner: the caller holds the list: its lines are "METHOD /path\n". */
#ifndef CHARLUA_WIRE_ROUTES_H
#define CHARLUA_WIRE_ROUTES_H

#include "base/bytes.h"

enum {
    ROUTES_MAX = 1000,
    ROUTE_KEY_MAX = 256,    /* bytes of "METHOD /path" */
    ROUTES_ALLOW_SIZE = 64, /* of the field line that names all methods */
};

/* NULL if `key` is a route: "METHOD /path", one space between, the path as requests say
 * it; else what is wrong with it, a static text. */
const char *routes_fault(struct bytes key);

/* The methods of `path` in `routes`, a bit each; 0: nobody answers there. */
unsigned routes_methods(struct bytes routes, struct bytes path);

/* Is `method` one of them? HEAD is where GET is (RFC 9110 9.3.2). */
bool routes_takes(unsigned methods, struct bytes method);

/* Writes "Allow: GET, HEAD, POST\r\n" for `methods`, with a NUL. */
void routes_allow(unsigned methods, char out[ROUTES_ALLOW_SIZE]);

#endif
