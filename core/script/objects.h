/* objects: clients and rooms as Lua objects, and back.
 * Does not know: their methods.
 * Thread: the host's.
 * Owner: nobody; the registry holds the objects, which hold ids and names. */
#ifndef CHARLUA_SCRIPT_OBJECTS_H
#define CHARLUA_SCRIPT_OBJECTS_H

#include "script/host_state.h"

/* The names of the metatables, which api_client.c and api_room.c fill. */
#define CLIENT_TYPE "charlua.client"
#define ROOM_TYPE   "charlua.room"

/* User values: a client has its state, once it was touched; a room its name, too. */
enum { CLIENT_STATE = 1, ROOM_NAME = 1, ROOM_STATE };

/* Pushes the object of `c`, making it when it is first asked for. [-0, +1] */
void client_push(lua_State *L, struct client *c);
/* Pushes the state of `c`, or something that is no table while it was never touched.
 * [-0, +1] */
void client_push_state(lua_State *L, const struct client *c);
/* The object of `type` (CLIENT_TYPE, say) at `index`, whose method was called. Raises for
 * another type, and says how methods are called. */
void *object_check(lua_State *L, int index, const char *type);
/* The client that the object at `index` names, or NULL when it has gone. Raises for
 * another type. */
struct client *client_check(lua_State *L, int index, uint64_t *id);
/* Puts into `id` whom option `name` of the table at argument `index` names, a client that
 * is there or was: by its object, or by its id if `or_id`. False: the table has none.
 * Raises for another type, and says which option it was. [-0, +0] */
bool client_option(lua_State *L, int index, const char *name, bool or_id, uint64_t *id);
/* The object of `c` is forgotten. Never raises. */
void client_forget(lua_State *L, struct client *c);

/* Pushes the object of the room called by the string at `index`. Raises for a bad name.
 * [-0, +1] */
void room_push(lua_State *L, int index);
/* The room that the object or name at `index` names, or NULL while nobody is in it.
 * Raises for another type. */
struct room *room_check(lua_State *L, int index, struct bytes *name);
void room_push_name(lua_State *L, const struct room *r);
/* The object and the state of `r` are forgotten. Never raises. */
void room_forget(lua_State *L, struct room *r);

#endif
