/* trusted: Lua's own searchers find the modules; the budget stays, so that nobody takes
 * the hook away. */
#include "lua/trusted.h"

#include "lua/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>

enum {
    FIRST_SEARCHER = 2,
    LAST_SEARCHER = 4
}; /* files of Lua, of C, of C below a root */

static int refuse_hook(lua_State *L)
{
    return luaL_error(L, "debug.sethook: the hook is what ends a handler in time");
}

/* Adds to the table on top what the library `name` has and it does not. [-0, +0] */
static void add_library(lua_State *L, const char *name, lua_CFunction open)
{
    int to = lua_gettop(L);
    luaL_requiref(L, name, open, 0);
    for (lua_pushnil(L); lua_next(L, to + 1); lua_settop(L, to + 2)) {
        lua_pushvalue(L, -2);
        if (lua_rawget(L, to) != LUA_TNIL)
            continue;
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_rawset(L, to);
    }
    lua_settop(L, to);
}

/* Sets global `name` of the globals on top to its library's fields, what is there first.
 * [-0, +0] */
static void open_library(lua_State *L, const char *name, lua_CFunction open)
{
    lua_pushstring(L, name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    add_library(L, name, open);
    lua_rawset(L, -3);
}

void trusted_open(lua_State *L)
{
    open_library(L, "io", luaopen_io);
    open_library(L, "os", luaopen_os);
    open_library(L, "debug", luaopen_debug);
    lua_getfield(L, -1, "debug");
    lua_pushcfunction(L, refuse_hook);
    lua_setfield(L, -2, "sethook");
    lua_pop(L, 1);
    lua_pushliteral(L, "package");
    luaL_requiref(L, "package", luaopen_package, 0); /* its paths count, and may be set */
    lua_rawset(L, -3);
    lua_pushliteral(L, "load");
    sandbox_push_load(L, lua_gettop(L) - 1, true);
    lua_rawset(L, -3);
}

void trusted_find(lua_State *L, const char *name, int environment)
{
    luaL_Buffer tried;
    lua_pushvalue(L, environment);
    int top = lua_gettop(L);
    luaL_requiref(L, "package", luaopen_package, 0);
    lua_getfield(L, -1, "searchers");
    luaL_checktype(L, -1, LUA_TTABLE);
    int searchers = lua_gettop(L);
    luaL_buffinit(L, &tried);
    for (int i = FIRST_SEARCHER; i <= LAST_SEARCHER; i++) {
        if (lua_geti(L, searchers, i) == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushstring(L, name);
        lua_call(L, 1, 2);
        if (lua_isfunction(L, -2)) {
            if (i == FIRST_SEARCHER) {
                lua_pushvalue(L, top);
                lua_setupvalue(L, -3, 1);
            }
            lua_copy(L, -2, top);
            lua_copy(L, -1, top + 1);
            lua_settop(L, top + 1);
            return;
        }
        lua_pop(L, 1);
        if (lua_isstring(L, -1))
            luaL_addvalue(&tried);
        else
            lua_pop(L, 1);
    }
    luaL_pushresult(&tried);
    luaL_error(L, "module '%s' is not beside the script, and there is\n\t%s", name,
               lua_tostring(L, -1));
}
