/* guard: what the guards of several libraries share.
 *
 * A guard calls the library's own function, so it stands between that and the script: the
 * function would not find the script's line, which lua_where counts levels for, nor the
 * name by which it was called. So an error that the function itself raises is raised
 * again by the guard, in whose place the script expects it; what others raise below it (a
 * comparison of the script's, the budget's hook) passes as it is. */
#include "lua/guard.h"

#include "lua/vm.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* Before a message that the library's own function raised. */
#define OWN "\1own\1"

void guard_field(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

/* Message handler: level 1 has raised, and level 2 is the guard if that was the function
 * in its upvalue 1. [-1, +1] */
static int mark_own(lua_State *L)
{
    lua_Debug raiser, guard;
    lua_settop(L, 1);
    if (lua_type(L, 1) != LUA_TSTRING || !lua_getstack(L, 1, &raiser) ||
        !lua_getstack(L, 2, &guard) || !lua_getinfo(L, "f", &raiser) ||
        !lua_getinfo(L, "f", &guard) || !lua_iscfunction(L, 3) ||
        !lua_getupvalue(L, 3, 1) || !lua_rawequal(L, 2, 4)) {
        lua_settop(L, 1);
        return 1;
    }
    lua_pushliteral(L, OWN);
    lua_pushvalue(L, 1);
    lua_concat(L, 2);
    return 1;
}

/* Raises the error on top in the guard's name. */
static int raise(lua_State *L, int status)
{
    size_t len;
    int argument, from = 0;
    const char *text = lua_tolstring(L, -1, &len);
    vm_of(L)->refused |= status == LUA_ERRMEM; /* from here on it is one like others */
    if (lua_type(L, -1) != LUA_TSTRING || strncmp(text, OWN, strlen(OWN)) != 0)
        return lua_error(L);
    text += strlen(OWN);
    (void)sscanf(text, "bad argument #%d to '%*[^']' (%n", &argument, &from);
    if (from == 0)
        return luaL_error(L, "%s", text);
    lua_pushlstring(L, text + from, strlen(text + from) - 1); /* without the last ')' */
    return luaL_argerror(L, argument, lua_tostring(L, -1));
}

int guard_original(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checkstack(L, 2, NULL);
    lua_pushcfunction(L, mark_own);
    lua_insert(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 2);
    int status = lua_pcall(L, n, LUA_MULTRET, 1);
    if (status != LUA_OK)
        return raise(L, status);
    return lua_gettop(L) - 1;
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
