/* describe: a Lua value as text for a log line, cut to fit.
 * Does not know: what the value is for.
 * Thread: the host's.
 * Owner: nobody; the caller owns the text. */
#ifndef CHARLUA_LUA_DESCRIBE_H
#define CHARLUA_LUA_DESCRIBE_H

#include <lua.h>
#include <stddef.h>

/* Writes the value at `index` into `text`, much like JSON: tables with what is in them,
 * three deep, others than strings, numbers and booleans as their type. Calls no
 * metamethod, allocates nothing and raises nothing. [-0, +0] */
void describe_value(lua_State *L, int index, char *text, size_t size);

#endif
