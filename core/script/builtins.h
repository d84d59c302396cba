/* builtins: what `require` finds beside files, and the types that scripts meet.
 * Does not know: which rules are loaded.
 * Thread: the host's.
 * Owner: nobody. */
#ifndef CHARLUA_SCRIPT_BUILTINS_H
#define CHARLUA_SCRIPT_BUILTINS_H

#include <lua.h>

/* Makes the metatables. [-0, +0] */
void builtins_register(lua_State *L);

/* Pushes a cjson of its own (errors returned, not raised), set to be strict. [-0, +1] */
void builtins_push_json(lua_State *L);

/* Pushes a table of what `require` finds, by name: made anew for each load, so that
 * nothing a script did to them outlives it. [-0, +1] */
void builtins_push(lua_State *L);

#endif
