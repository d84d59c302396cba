/* guard_utf8: the library `utf8`. */
#include "lua/guard.h"

#include <lauxlib.h>

static int utf8_codepoint(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    lua_Integer first = guard_position(luaL_optinteger(L, 2, 1), len);
    guard_results(L, first, guard_position(luaL_optinteger(L, 3, first), len),
                  "string slice too long");
    return guard_original(L);
}

void guard_utf8(lua_State *L)
{
    guard_field(L, "codepoint", utf8_codepoint);
}
