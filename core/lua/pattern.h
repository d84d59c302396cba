/* pattern: string.find, match, gmatch and gsub as in Lua 5.4, in bounded steps: a pattern
 * that backtracks runs out of the handler's budget like any other loop. Does not know:
 * what is matched. Thread: the host's. Owner: nobody; what it sets belongs to Lua. */
#ifndef CHARLUA_LUA_PATTERN_H
#define CHARLUA_LUA_PATTERN_H

#include <lua.h>

/* Sets the four functions in the table on top. [-0, +0] */
void pattern_register(lua_State *L);

#endif
