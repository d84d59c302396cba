/* api_parts: where each api_*.c begins.
 * Does not know: what they do.
 * Thread: the host's.
 * Owner: nobody. */
#ifndef CHARLUA_SCRIPT_API_PARTS_H
#define CHARLUA_SCRIPT_API_PARTS_H

#include <lua.h>
#include <stdbool.h>

/* Make the metatables of the types. [-0, +0] */
void client_register(lua_State *L);
void room_register(lua_State *L);
void request_register(lua_State *L);

/* Pushes the module `charlua`. [-0, +1] */
void chat_push(lua_State *L);

/* Set fields `crypto`, `env` and `http` of the table on top. [-0, +0] */
void crypto_add(lua_State *L);
void env_add(lua_State *L);
void http_add(lua_State *L);

/* Whether --http-allow lets rules ask `origin`, as origin_of_url writes it. */
struct host_setup;
bool api_may_ask(const struct host_setup *setup, const char *origin);

#endif
