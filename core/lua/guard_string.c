/* guard_string: the library `string`. */
#include "lua/guard.h"

#include "lua/pattern.h"
#include "lua/vm.h"

#include <lauxlib.h>
#include <string.h>

enum { FLOAT_NS = 20000 }; /* to write one with 99 digits on either side */

/* string.rep: what is there already is doubled, which is as fast as memory. */
static int repeat_string(lua_State *L)
{
    size_t len, separator;
    luaL_Buffer b;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *between = luaL_optlstring(L, 3, "", &separator);
    size_t unit = len + separator;
    if (n <= 0 || unit == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    bool fits = (size_t)n <= (vm_string_max(vm_of(L)) + separator) / unit;
    vm_check_string(L, fits ? 0 : SIZE_MAX);
    size_t total = (size_t)n * unit - separator;
    budget_work(L, total / 2);
    char *to = luaL_buffinitsize(L, &b, total + separator);
    memcpy(to, s, len);
    memcpy(to + len, between, separator);
    for (size_t done = unit, more; done < total; done += more) {
        more = done < total - done ? done : total - done;
        memcpy(to + done, to, more);
    }
    luaL_pushresultsize(&b, total);
    return 1;
}

/* string.format and pack: several strings may make one that is too long. */
static int format_string(lua_State *L)
{
    size_t total = 0;
    uint64_t floats = 0;
    for (int i = lua_gettop(L); i > 0; i--) {
        total += lua_type(L, i) == LUA_TSTRING ? lua_rawlen(L, i) : 0;
        floats += lua_type(L, i) == LUA_TNUMBER && !lua_isinteger(L, i);
    }
    budget_work(L, floats * FLOAT_NS);
    vm_check_string(L, total);
    return guard_original(L);
}

static int string_byte(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer given = luaL_optinteger(L, 2, 1);
    lua_Integer first = guard_position(given, len);
    lua_Integer last = guard_position(luaL_optinteger(L, 3, given), len);
    first = first < 1 ? 1 : first;
    last = last > (lua_Integer)len ? (lua_Integer)len : last;
    guard_results(L, first, last, "string slice too long");
    int n = last < first ? 0 : (int)(last - first) + 1;
    luaL_checkstack(L, n, "string slice too long");
    for (int i = 0; i < n; i++)
        lua_pushinteger(L, (unsigned char)s[first + i - 1]);
    return n;
}

static int unpack_string(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    guard_results(L, 1, (lua_Integer)len, "too many results");
    return guard_original(L);
}

void guard_string(lua_State *L)
{
    pattern_register(L);
    lua_pushcfunction(L, repeat_string);
    lua_setfield(L, -2, "rep");
    guard_field(L, "format", format_string);
    guard_field(L, "pack", format_string);
    guard_field(L, "byte", string_byte);
    guard_field(L, "unpack", unpack_string);
}
