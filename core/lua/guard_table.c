/* guard_table: the library `table`. */
#include "lua/guard.h"

#include "lua/vm.h"

#include <lauxlib.h>

enum {
    ELEMENT_NS = 15, /* to move an element of a table */
    COMPARE_NS = 30,
};

/* The length of the table at 1: what it holds; __len could say another one each time it
 * is asked. */
static lua_Integer check_length(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, luaL_getmetafield(L, 1, "__len") == LUA_TNIL, 1,
                  "a table with __len is not taken here");
    return (lua_Integer)lua_rawlen(L, 1);
}

/* table.insert and remove: with a position they move what is behind it. */
static int move_rest(lua_State *L)
{
    lua_Integer length = check_length(L), at = length;
    if (lua_gettop(L) > 1 && lua_isinteger(L, 2))
        at = lua_tointeger(L, 2);
    budget_work(L, at > 0 && at < length ? (uint64_t)(length - at) * ELEMENT_NS
                                         : ELEMENT_NS);
    return guard_original(L);
}

static int move_table(lua_State *L)
{
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    lua_Unsigned n = last < first ? 0 : (lua_Unsigned)last - (lua_Unsigned)first;
    luaL_argcheck(L, n < LUA_MAXINTEGER / ELEMENT_NS, 3, "too many elements to move");
    budget_work(L, n * ELEMENT_NS);
    return guard_original(L);
}

/* The order of table.sort when the script gave no function of its own, in which the hook
 * fires. */
static int compare(lua_State *L)
{
    uint64_t bytes = lua_type(L, 1) == LUA_TSTRING ? lua_rawlen(L, 1) : 0;
    budget_work(L, COMPARE_NS + bytes / 8);
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}

/* The same with a C function of the libraries, upvalue 1. */
static int compare_by(lua_State *L)
{
    budget_work(L, COMPARE_NS);
    return guard_original(L);
}

static int sort_table(lua_State *L)
{
    (void)check_length(L);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushcfunction(L, compare);
        lua_replace(L, 2);
    } else if (lua_iscfunction(L, 2)) {
        lua_pushvalue(L, 2);
        lua_pushcclosure(L, compare_by, 1);
        lua_replace(L, 2);
    }
    return guard_original(L);
}

static int concat_table(lua_State *L)
{
    size_t separator;
    luaL_Buffer b;
    lua_Integer last = check_length(L);
    const char *between = luaL_optlstring(L, 2, "", &separator);
    lua_Integer i = luaL_optinteger(L, 3, 1);
    last = luaL_optinteger(L, 4, last);
    lua_settop(L, 2);
    luaL_buffinit(L, &b);
    for (bool more = i <= last; more; more = i++ < last) {
        if (lua_geti(L, 1, i) != LUA_TSTRING && !lua_isnumber(L, -1))
            return luaL_error(L, "invalid value (%s) at index %I in table for 'concat'",
                              luaL_typename(L, -1), (LUAI_UACINT)i);
        budget_work(L, COMPARE_NS + lua_rawlen(L, -1) / 4);
        luaL_addvalue(&b);
        if (i < last)
            luaL_addlstring(&b, between, separator);
        vm_check_string(L, luaL_bufflen(&b));
    }
    luaL_pushresult(&b);
    return 1;
}

static int unpack_table(lua_State *L)
{
    lua_Integer first = luaL_optinteger(L, 2, 1);
    lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
    guard_results(L, first, last, "too many results to unpack");
    int n = last < first ? 0 : (int)(last - first) + 1;
    luaL_checkstack(L, n, "too many results to unpack");
    for (int i = 0; i < n; i++)
        lua_geti(L, 1, first + i);
    return n;
}

void guard_table(lua_State *L)
{
    guard_field(L, "insert", move_rest);
    guard_field(L, "remove", move_rest);
    guard_field(L, "move", move_table);
    guard_field(L, "sort", sort_table);
    guard_field(L, "concat", concat_table);
    guard_field(L, "unpack", unpack_table);
}
