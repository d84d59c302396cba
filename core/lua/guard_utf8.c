/* guard_utf8: the library `utf8`. */
#include "lua/guard.h"

#include "lua/budget.h"

#include <lauxlib.h>

enum { BYTE_NS = 4 };

static int utf8_codepoint(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    lua_Integer first = guard_position(luaL_optinteger(L, 2, 1), len);
    guard_results(L, first, guard_position(luaL_optinteger(L, 3, first), len),
                  "string slice too long");
    return guard_original(L);
}

/* utf8.len and offset. */
static int utf8_count(lua_State *L)
{
    guard_strings(L, BYTE_NS);
    return guard_original(L);
}

void guard_utf8(lua_State *L)
{
    guard_field(L, "codepoint", utf8_codepoint);
    guard_field(L, "len", utf8_count);
    guard_field(L, "offset", utf8_count);
}
