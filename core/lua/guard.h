/* guard: what of the standard libraries could run or allocate without end in C, where no
 * hook looks at the budget, is replaced by functions that can't. Does not know: which
 * globals there are. Thread: the host's. Owner: nobody; what it sets belongs to Lua. */
#ifndef CHARLUA_LUA_GUARD_H
#define CHARLUA_LUA_GUARD_H

#include <lua.h>

/* Guards the functions in the globals on top, and in their libraries. [-0, +0] */
void guard_register(lua_State *L);

/* The same for the table of the library `string` on top. [-0, +0] */
void guard_strings(lua_State *L);

/* The same for lua-cjson's functions in the table on top. [-0, +0] */
void guard_json(lua_State *L);

/* Replaces field `name` of the table on top by f with the old value as its upvalue. [-0,
 * +0] */
void guard_field(lua_State *L, const char *name, lua_CFunction f);

/* Returns what the old one, upvalue 1, returns for the same arguments. */
int guard_original(lua_State *L);

#endif
