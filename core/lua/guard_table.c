/* guard_table: the library `table`.
 *
 * insert, remove, move, concat and unpack walk here, as lua 5.4's ltablib.c does, for two
 * reasons: without a metatable the whole way has its price before the first step, so that
 * no table is left half moved; with one, a step can be long (an __index may lead through
 * 2,000 tables), so that the budget is looked at on the way. sort is the library's own,
 * with a comparison that looks. */
#include "lua/guard.h"

#include "lua/vm.h"

#include <lauxlib.h>

enum {
    ELEMENT_NS = 15,  /* to move an element of a table */
    LOOKUP_NS = 2000, /* the same through a metatable */
    COMPARE_NS = 30,
    FLOAT_NS = 300, /* as text */
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

/* What a step in the table at `index` costs, beyond what was paid before. */
static uint64_t step_price(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return 0;
    lua_pop(L, 1);
    return LOOKUP_NS;
}

/* t[to] = t[from] for the tables at `source` and `target`. */
static void move_element(lua_State *L, int source, lua_Integer from, int target,
                         lua_Integer to, uint64_t price)
{
    budget_work(L, price);
    lua_geti(L, source, from);
    lua_seti(L, target, to);
}

/* table.insert(t, [at,] value) */
static int insert(lua_State *L)
{
    lua_Integer end = check_length(L) + 1, at = end;
    switch (lua_gettop(L)) {
    case 2:
        break;
    case 3:
        at = luaL_checkinteger(L, 2);
        luaL_argcheck(L, (lua_Unsigned)at - 1U < (lua_Unsigned)end, 2,
                      "position out of bounds");
        break;
    default:
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    uint64_t price = step_price(L, 1);
    budget_work(L, (uint64_t)(end - at + 1) * ELEMENT_NS);
    for (lua_Integer i = end; i > at; i--)
        move_element(L, 1, i - 1, 1, i, price);
    lua_seti(L, 1, at);
    return 0;
}

/* table.remove(t [, at]) -> what was there */
static int remove_element(lua_State *L)
{
    lua_Integer length = check_length(L), at = luaL_optinteger(L, 2, length);
    if (at != length)
        luaL_argcheck(L, (lua_Unsigned)at - 1U <= (lua_Unsigned)length, 2,
                      "position out of bounds");
    uint64_t price = step_price(L, 1);
    budget_work(L, at < length ? (uint64_t)(length - at + 1) * ELEMENT_NS : ELEMENT_NS);
    lua_geti(L, 1, at);
    for (; at < length; at++)
        move_element(L, 1, at + 1, 1, at, price);
    lua_pushnil(L);
    lua_seti(L, 1, at);
    return 1;
}

/* table.move(from, first, last, to [, target]) -> target */
static int move_elements(lua_State *L)
{
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    lua_Integer to = luaL_checkinteger(L, 4);
    int target = lua_isnoneornil(L, 5) ? 1 : 5;
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, target, LUA_TTABLE);
    if (last >= first) {
        luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3,
                      "too many elements to move");
        lua_Integer n = last - first + 1;
        luaL_argcheck(L, to <= LUA_MAXINTEGER - n + 1, 4, "destination wrap around");
        uint64_t price = step_price(L, 1) + step_price(L, target);
        budget_work(L, n < LUA_MAXINTEGER / ELEMENT_NS ? (uint64_t)n * ELEMENT_NS
                                                       : LUA_MAXINTEGER);
        if (to > last || to <= first || (target != 1 && !lua_rawequal(L, 1, target)))
            for (lua_Integer i = 0; i < n; i++)
                move_element(L, 1, first + i, target, to + i, price);
        else
            for (lua_Integer i = n - 1; i >= 0; i--)
                move_element(L, 1, first + i, target, to + i, price);
    }
    lua_pushvalue(L, target);
    return 1;
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

/* The same with the function in upvalue 1: one of C, or one among elements that take long
 * to get. */
static int compare_by(lua_State *L)
{
    budget_work(L, LOOKUP_NS);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int sort_table(lua_State *L)
{
    (void)check_length(L);
    bool is_slow = step_price(L, 1) > 0;
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushcfunction(L, compare);
        lua_replace(L, 2);
    }
    if ((lua_iscfunction(L, 2) && lua_tocfunction(L, 2) != compare) ||
        (is_slow && lua_isfunction(L, 2))) {
        lua_pushvalue(L, 2);
        lua_pushcclosure(L, compare_by, 1);
        lua_replace(L, 2);
    }
    return guard_original(L);
}

/* table.concat(t [, between [, first [, last]]]) */
static int concat_table(lua_State *L)
{
    size_t separator;
    luaL_Buffer b;
    lua_Integer last = check_length(L);
    const char *between = luaL_optlstring(L, 2, "", &separator);
    lua_Integer i = luaL_optinteger(L, 3, 1);
    last = luaL_optinteger(L, 4, last);
    lua_settop(L, 2);
    uint64_t price = step_price(L, 1) + COMPARE_NS + separator / 4;
    luaL_buffinit(L, &b);
    for (bool more = i <= last; more; more = i++ < last) {
        if (lua_geti(L, 1, i) != LUA_TSTRING && !lua_isnumber(L, -1))
            return luaL_error(L, "invalid value (%s) at index %I in table for 'concat'",
                              luaL_typename(L, -1), (LUAI_UACINT)i);
        budget_work(L, price + (lua_type(L, -1) == LUA_TSTRING ? lua_rawlen(L, -1) / 4
                                                               : FLOAT_NS));
        luaL_addvalue(&b);
        if (i < last)
            luaL_addlstring(&b, between, separator);
        vm_check_string(L, luaL_bufflen(&b));
    }
    luaL_pushresult(&b);
    return 1;
}

/* table.unpack(t [, first [, last]]) */
static int unpack_table(lua_State *L)
{
    lua_Integer first = luaL_optinteger(L, 2, 1);
    lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
    guard_results(L, first, last, "too many results to unpack");
    int n = last < first ? 0 : (int)(last - first) + 1;
    luaL_checkstack(L, n, "too many results to unpack");
    uint64_t price = step_price(L, 1) + ELEMENT_NS;
    for (int i = 0; i < n; i++) {
        budget_work(L, price);
        lua_geti(L, 1, first + i);
    }
    return n;
}

void guard_table(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"insert", insert},       {"remove", remove_element}, {"move", move_elements},
        {"concat", concat_table}, {"unpack", unpack_table},   {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    guard_field(L, "sort", sort_table);
}
