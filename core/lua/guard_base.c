/* guard_base: setmetatable, xpcall, next, pairs and tonumber. */
#include "lua/guard.h"

#include "lua/budget.h"

#include <lauxlib.h>

enum { NUMERAL_NS = 4 /* a byte that is read as a number */ };

/* setmetatable without __gc: finalizers run whenever memory is short, without hook or
 * budget. One that is added to the metatable later has no effect in Lua (manual 2.5.3).
 */
static int set_metatable(lua_State *L)
{
    int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    lua_settop(L, 2);
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(
                L, "scripts have no __gc: free what you hold in on_close or a timer");
        lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_setmetatable(L, 1);
    return 1;
}

/* xpcall whose handler runs after the error has unwound, when the hook is active again.
 */
static int finish_xpcall(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    if (status == LUA_OK || status == LUA_YIELD) {
        lua_pushboolean(L, 1);
        lua_replace(L, 2);
        return lua_gettop(L) - 1;
    }
    lua_pushboolean(L, 0);
    lua_insert(L, 1); /* false, handler, ..., error */
    lua_insert(L, 3); /* false, handler, error, ... */
    lua_settop(L, 3);
    lua_call(L, 1, 1);
    return 2;
}

static int safe_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int n = lua_gettop(L);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    lua_replace(L, 2);
    lua_replace(L, 1); /* handler, function, arguments... */
    lua_pushnil(L);    /* finish_xpcall's slot 2 */
    lua_insert(L, 2);
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 0, 0, finish_xpcall);
    return finish_xpcall(L, status, 0);
}

/* next: in a table that was emptied a step may be long. */
static int next_pair(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    budget_walk(L);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

static int continue_pairs(lua_State *L, int status, lua_KContext context)
{
    (void)L, (void)status, (void)context;
    return 3;
}

static int pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") == LUA_TNIL) {
        lua_pushvalue(L, lua_upvalueindex(1)); /* next */
        lua_pushvalue(L, 1);
        lua_pushnil(L);
    } else {
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 3, 0, continue_pairs);
    }
    return 3;
}

/* tonumber: of a string of any length. */
static int to_number(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TNUMBER && lua_gettop(L) == 1)
        return 1;
    guard_strings(L, NUMERAL_NS);
    return guard_original(L);
}

void guard_base(lua_State *L)
{
    guard_field(L, "tonumber", to_number);
    lua_pushcfunction(L, set_metatable);
    lua_setfield(L, -2, "setmetatable");
    lua_pushcfunction(L, safe_xpcall);
    lua_setfield(L, -2, "xpcall");
    lua_pushcfunction(L, next_pair);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "next");
    lua_pushcclosure(L, pairs, 1);
    lua_setfield(L, -2, "pairs");
}
