/* app: one value, so that it can be checked before it counts. */
#include "script/app.h"

#include "wire/http.h"

#include <lauxlib.h>
#include <string.h>

static const struct {
    const char *name;
    int type;
} fields[] = {
    {"api", LUA_TNUMBER},          {"on", LUA_TTABLE},
    {"on_open", LUA_TFUNCTION},    {"on_close", LUA_TFUNCTION},
    {"on_message", LUA_TFUNCTION}, {"timers", LUA_TTABLE},
    {"protocols", LUA_TTABLE},     {"selftest", LUA_TFUNCTION},
    {"http", LUA_TTABLE},
};

enum {
    PROTOCOL_NAME_MAX = 100, /* bytes */
    FIELD_COUNT = sizeof fields / sizeof *fields,
};

static void check_field(lua_State *L, const char *name, int value)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(name, fields[i].name) != 0)
            continue;
        if (lua_type(L, value) != fields[i].type)
            luaL_error(L, "app.%s is a %s; it has to be a %s", name,
                       luaL_typename(L, value), lua_typename(L, fields[i].type));
        return;
    }
    luaL_error(
        L,
        "app.%s is no field of an app: there are api, on, on_open, on_close, on_message, "
        "timers, protocols, http and selftest; handlers of messages go into app.on",
        name);
}

/* All values of the table `name` of the app at `app` are functions. */
static void check_functions(lua_State *L, int app, const char *name)
{
    if (lua_getfield(L, app, name) == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "app.%s has a key that is a %s; keys are strings", name,
                           luaL_typename(L, -2));
            if (!lua_isfunction(L, -1))
                luaL_error(L, "app.%s.%s is a %s; it has to be a function", name,
                           lua_tostring(L, -2), luaL_typename(L, -1));
        }
    }
    lua_pop(L, 1);
}

void app_protocols(lua_State *L, struct host *h)
{
    struct buf *names = &h->text;
    int app = lua_gettop(L);
    names->len = 0;
    lua_getfield(L, app, "protocols");
    for (lua_Integer i = 1;
         lua_istable(L, app + 1) && lua_rawgeti(L, app + 1, i) != LUA_TNIL; i++) {
        size_t len;
        const char *name =
            lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
        struct bytes text = bytes_of(name);
        for (size_t k = 0; k < text.len; k++)
            if (!http_is_token_byte(text.at[k]))
                text.len = 0;
        if (text.len == 0 || text.len > PROTOCOL_NAME_MAX)
            luaL_error(
                L, "app.protocols[%d] is no subprotocol's name (letters, digits and -_.)",
                (int)i);
        if (buf_append(names, bytes_of(",")) < 0 || buf_append(names, text) < 0)
            luaL_error(L, "not enough memory");
        lua_pop(L, 1);
    }
    lua_settop(L, app);
    if (world_protocols(&h->world, buf_bytes(names)) != WORLD_OK)
        luaL_error(L, "not enough memory");
}

void app_load(lua_State *L, struct host *h, int builtins)
{
    loader_run(L, &h->loader, h->setup.script, builtins);
    int app = lua_gettop(L);
    if (!lua_istable(L, app))
        luaL_error(
            L, "%s: the script returned a %s; its last line has to return its app table",
            h->setup.script, luaL_typename(L, app));
    for (lua_pushnil(L); lua_next(L, app); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "the app has a key that is a %s; keys are strings",
                       luaL_typename(L, -2));
        check_field(L, lua_tostring(L, -2), lua_gettop(L));
    }
    lua_getfield(L, app, "api");
    if (lua_tonumber(L, -1) != 1)
        luaL_error(L,
                   "app.api has to be 1, the only one that this version of charlua has");
    lua_pop(L, 1);
    check_functions(L, app, "on");
    check_functions(L, app, "timers");
}

void app_swap(lua_State *L)
{
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_keys[KEY_APP]);
}

void app_push(lua_State *L, const char *section, const char *name)
{
    host_push(L, KEY_APP);
    if (section) {
        lua_pushstring(L, section);
        lua_rawget(L, -2);
        lua_remove(L, -2);
    }
    if (lua_istable(L, -1)) {
        lua_pushstring(L, name);
        lua_rawget(L, -2);
    } else {
        lua_pushnil(L);
    }
    lua_remove(L, -2);
}
