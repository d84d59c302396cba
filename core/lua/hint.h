/* hint: who asks an object of ours for a field that it does not have is told so, with the
 * name that was probably meant. Does not know: which objects there are. Thread: the
 * host's. Owner: nobody. */
#ifndef CHARLUA_LUA_HINT_H
#define CHARLUA_LUA_HINT_H

#include <lua.h>

/* Raises: `owner` has no field named by the value at `key`. What it has: the keys of the
 * table at `methods`, and `fields`, of which the last is NULL. */
int hint_raise(lua_State *L, const char *owner, int key, int methods,
               const char *const *fields);

/* A lua_CFunction: nearest(wanted, names as keys) -> the nearest name | nil if none is
 * near.
 */
int hint_nearest(lua_State *L);

/* From now on the table on top, which scripts know as `owner`, answers like that. [-0,
 * +0] */
void hint_guard(lua_State *L, const char *owner);

#endif
