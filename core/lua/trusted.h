/* trusted: what scripts have beside the sandbox with --trusted: the rest of the standard
 * library, and modules of the system. Does not know: the script's own modules. Thread:
 * the host's. Owner: nobody; what it sets belongs to Lua. */
#ifndef CHARLUA_LUA_TRUSTED_H
#define CHARLUA_LUA_TRUSTED_H

#include <lua.h>

/* Adds io, os, debug, package and a load that takes bytecode to the globals on top, which
 * have no metatable yet or one that is passed by. [-0, +0] */
void trusted_open(lua_State *L);

/* Pushes what loads module `name` and where it was found: a Lua file of package.path,
 * with the globals at `environment`, or a C library of package.cpath. Raises, with all
 * places, when there is none. [-0, +2] */
void trusted_find(lua_State *L, const char *name, int environment);

#endif
