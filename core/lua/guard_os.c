/* guard_os: the library `os`, whose clock is the turn's. */
#include "lua/guard.h"

#include "lua/vm.h"

#include <lauxlib.h>

enum { DATE_NS = 500 /* a byte of the format */ };

/* os.time and os.date say the time of the turn, as chat.now does: upvalue 1 is the
 * library's own. */
static int time_of_turn(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_pushinteger(L, (lua_Integer)*vm_of(L)->now);
        return 1;
    }
    return guard_original(L);
}

static int date_of_turn(lua_State *L)
{
    size_t len;
    luaL_optlstring(L, 1, "%c", &len);
    budget_work(L, len * DATE_NS);
    lua_settop(L, 2);
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "%c");
        lua_replace(L, 1);
    }
    if (lua_isnil(L, 2)) {
        lua_pushinteger(L, (lua_Integer)*vm_of(L)->now);
        lua_replace(L, 2);
    }
    return guard_original(L);
}

void guard_os(lua_State *L)
{
    guard_field(L, "time", time_of_turn);
    guard_field(L, "date", date_of_turn);
}
