/* api: what the functions that scripts call have in common: types, options, frames,
 * results, limits.
 * Does not know: which functions there are.
 * Thread: the host's.
 * Owner: nobody. */
#ifndef CHARLUA_SCRIPT_API_H
#define CHARLUA_SCRIPT_API_H

#include "script/host_state.h"
#include "wire/outframe.h"

#include <lauxlib.h>

/* Adds the metatable `type` with `methods` and the index function `index` (its upvalue 1
 * is the table of methods). `instead` is the error for who sends one. [-0, +0] */
void api_new_type(lua_State *L, const char *type, const char *instead,
                  const luaL_Reg *methods, lua_CFunction index, lua_CFunction newindex);

/* `c` (or NULL) has reached a limit: counts and logs it. */
void api_reach_limit(struct host *h, enum limit which, const struct client *c);

/* Turns a staged effect's result into what a script gets: true; nil, "full"; or an error.
 * [-0, +1|2] */
int api_push_result(lua_State *L, enum world_result result, const char *full);

/* A frame of `payload`; raises when it is larger than any client's queue, the budget is
 * spent or memory is out. The caller unrefs it before anything else that raises. */
struct outframe *api_frame_new(lua_State *L, enum ws_opcode op, struct bytes payload);

/* A text frame of the value at `index`: a table or number as JSON, a chat.object, a
 * string that is JSON already. The caller unrefs it. Raises what json_encode does. */
struct outframe *api_frame(lua_State *L, int index);

/* Raises if the table at `index` has a key that is not one of `names` (up to NULL): a
 * misspelt option would silently count for nothing. [-0, +0] */
void api_check_fields(lua_State *L, int index, const char *who, const char *const *names);

/* The client whom {except=client} at `index` names, or 0, also when there is no table;
 * raises for anything else. [-0, +0] */
uint64_t api_check_except(lua_State *L, int index, const char *who);

/* Which piece of a long array of clients a script asks for. */
struct api_piece {
    uint64_t after;    /* the id of a client: the piece begins behind it; or 0 */
    lua_Integer limit; /* entries */
};

/* Reads {after=client or id, limit=n} at `index`, nil for all of it; raises for anything
 * else. [-0, +0] */
void api_check_piece(lua_State *L, int index, const char *who, struct api_piece *out);

#endif
