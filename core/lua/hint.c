/* hint: the names come from tables of Lua; base/nearest compares them. */
#include "lua/hint.h"

#include "base/nearest.h"

#include <lauxlib.h>

int hint_raise(lua_State *L, const char *owner, int key, int methods,
               const char *const *fields)
{
    if (lua_type(L, key) != LUA_TSTRING)
        return luaL_error(L, "%s has no field that is a %s", owner,
                          luaL_typename(L, key));
    struct nearest n = nearest_to(lua_tostring(L, key));
    for (; fields && *fields; fields++)
        nearest_try(&n, *fields);
    for (lua_pushnil(L); lua_next(L, methods); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING)
            nearest_try(&n, lua_tostring(L, -2));
    if (n.best)
        return luaL_error(L, "%s has no field '%s'; did you mean '%s'?", owner, n.wanted,
                          n.best);
    return luaL_error(L, "%s has no field '%s'", owner, n.wanted);
}

int hint_nearest(lua_State *L)
{
    struct nearest n = nearest_to(luaL_checkstring(L, 1));
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING)
            nearest_try(&n, lua_tostring(L, -2));
    lua_pushstring(L, n.best); /* NULL pushes nil */
    return 1;
}

/* __index; upvalue 1 is the owner's name. */
static int refuse(lua_State *L)
{
    return hint_raise(L, lua_tostring(L, lua_upvalueindex(1)), 2, 1, NULL);
}

void hint_guard(lua_State *L, const char *owner)
{
    lua_newtable(L);
    lua_pushstring(L, owner);
    lua_pushcclosure(L, refuse, 1);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, owner);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}
