/* json: Lua values to JSON text, as the protocol's older clients know it: ASCII only, '/'
 * escaped. Does not know: the host, clients, frames. Thread: the host's. Owner: nobody;
 * the caller owns the buffer. */
#ifndef CHARLUA_LUA_JSON_H
#define CHARLUA_LUA_JSON_H

#include "base/buf.h"

#include <lua.h>

/* A full userdata of this type is JSON text that goes out as it is (chat.object and
 * chat.array make them). */
#define JSON_TYPE "charlua.object"

/* The field of a type's metatable that says what to send in place of one. */
#define JSON_INSTEAD "__json_instead"

/* Appends the value at `index` to `out`: nil and cjson.null as null; a table with t[1] as
 * an array of #t elements, any other as an object of its string keys (numbers become
 * strings), in no stable order; a JSON_TYPE as it is. Raises for what JSON can't say
 * (functions, NaN, text that is not UTF-8, nesting over 32) when `out` would hold more
 * than `max` bytes, which the error says that `option` sets (or NULL), and when memory is
 * out; `out` is then half written and still the caller's. [-0, +0] */
void json_encode(lua_State *L, int index, struct buf *out, size_t max,
                 const char *option);

/* Appends the stack's keys and values from `first` to `last`, a key first, as an object
 * in just this order, without those whose value is nil. Raises as json_encode does. [-0,
 * +0]
 */
void json_encode_pairs(lua_State *L, int first, int last, struct buf *out, size_t max);

/* Appends the elements 1 to #t of the table at `index` as an array, also when there is
 * none. Raises as json_encode does. [-0, +0] */
void json_encode_array(lua_State *L, int index, struct buf *out, size_t max);

/* Pushes `text` as a JSON_TYPE. [-0, +1] */
void json_push(lua_State *L, struct bytes text);

/* The text of a JSON_TYPE at `index`; {NULL, 0} if it is not one. */
struct bytes json_text(lua_State *L, int index);

#endif
