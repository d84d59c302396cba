/* guard: what the guards of several libraries share.
 *
 * A guard runs the library's own function in its own place: as a C function that it
 * calls, with the arguments where they are. To have Lua call it (lua_call) would put the
 * guard between it and the script: an error would lack the script's line, which
 * luaL_where counts levels for, and the name by which the script called. To catch that
 * error and raise it again was right, too, and cost 700 instructions a call, 2 % of a
 * message. */
#include "lua/guard.h"

#include "lua/budget.h"

#include <lauxlib.h>

enum {
    UP_OWN = 1,      /* the original's only upvalue (lua-cjson's settings), or nil */
    UP_ORIGINAL = 2, /* the original, without it */
};

void guard_field(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    if (!lua_getupvalue(L, -1, UP_OWN))
        lua_pushnil(L);
    lua_pushcfunction(L, lua_tocfunction(L, -2));
    lua_pushcclosure(L, f, UP_ORIGINAL);
    lua_setfield(L, -3, name);
    lua_pop(L, 1);
}

int guard_original(lua_State *L)
{
    luaL_checkstack(L, LUA_MINSTACK, NULL); /* as Lua's own call would see to */
    return lua_tocfunction(L, lua_upvalueindex(UP_ORIGINAL))(L);
}

bool guard_integer(lua_State *L, int index, lua_Integer *n)
{
    int is_integer;
    lua_Integer value = lua_tointegerx(L, index, &is_integer);
    if (is_integer)
        *n = value;
    return is_integer;
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

void guard_strings(lua_State *L, uint64_t ns)
{
    uint64_t bytes = 0;
    for (int i = lua_gettop(L); i > 0; i--)
        bytes += lua_type(L, i) == LUA_TSTRING ? lua_rawlen(L, i) : 0;
    budget_work(L, bytes * ns);
}
