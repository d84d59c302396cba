/* call: the handler that a run is for, and its arguments.
 * Does not know: how it is called, and what comes of it.
 * Thread: the host's.
 * Owner: nobody. */
#ifndef CHARLUA_SCRIPT_CALL_H
#define CHARLUA_SCRIPT_CALL_H

#include "script/run.h"

/* Pushes the handler (unless it is resumed) and its arguments. Returns how many values
 * that is; 0: nothing to do, and r->protocol_error may say why. Raises. */
int call_push(lua_State *L, struct run *r);

#endif
