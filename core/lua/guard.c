/* guard: what the guards of several libraries share. */
#include "lua/guard.h"

#include <lauxlib.h>

void guard_field(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

int guard_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

void guard_results(lua_State *L, lua_Integer first, lua_Integer last, const char *message)
{
    if (last >= first && (lua_Unsigned)last - (lua_Unsigned)first >= GUARD_RESULTS_MAX)
        luaL_error(L, "%s (%d are the most)", message, GUARD_RESULTS_MAX);
}

lua_Integer guard_position(lua_Integer at, size_t len)
{
    if (at >= 0)
        return at;
    return at < -(lua_Integer)len ? 0 : (lua_Integer)len + at + 1;
}
