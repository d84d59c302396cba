/* api_env: chat.env: what --env lets through of the environment. */
#include "script/api_parts.h"
#include "script/host_state.h"

#include <lauxlib.h>

/* chat.env(name) -> string | nil: a variable as it was when the server started */
static int env(lua_State *L)
{
    const struct host_setup *setup = &host_of(L)->setup;
    const char *name = luaL_checkstring(L, 1);
    for (size_t i = 0; i < setup->env_count; i++) {
        if (strcmp(setup->env[i].key, name) == 0) {
            lua_pushstring(L, setup->env[i].value); /* nil for NULL */
            return 1;
        }
    }
    return luaL_error(L, "environment variable '%s' is not allowed: start with --env %s",
                      name, name);
}

void env_add(lua_State *L)
{
    lua_pushcfunction(L, env);
    lua_setfield(L, -2, "env");
}
