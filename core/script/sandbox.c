/* sandbox: fresh copies of the libraries for every load, without what reaches outside,
 * and with guards where C code could run or allocate without end. String patterns are not
 * bounded yet. */
#include "script/sandbox.h"

#include "script/vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

/* load(chunk [, name [, mode [, env]]]) for text only: bytecode can break the state. The
 * function runs in the caller's globals (upvalue 1) unless env is given. */
static int load_text(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *name = luaL_optstring(L, 2, text);
    if (luaL_loadbufferx(L, text, len, name, "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (lua_isnone(L, 4))
        lua_pushvalue(L, lua_upvalueindex(1));
    else
        lua_pushvalue(L, 4);
    lua_setupvalue(L, -2, 1);
    return 1;
}

/* setmetatable without __gc: finalizers run whenever memory is short, without hook or
 * budget. One that is added to the metatable later has no effect in Lua (manual 2.5.3).
 */
static int set_metatable(lua_State *L)
{
    int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    lua_settop(L, 2);
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(
                L, "scripts have no __gc: free what you hold in on_close or a timer");
        lua_pop(L, 1);
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_setmetatable(L, 1);
    return 1;
}

/* xpcall whose handler runs after the error has unwound, when the hook is active again.
 */
static int finish_xpcall(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    if (status == LUA_OK || status == LUA_YIELD) {
        lua_pushboolean(L, 1);
        lua_replace(L, 2);
        return lua_gettop(L) - 1;
    }
    lua_pushboolean(L, 0);
    lua_insert(L, 1); /* false, handler, ..., error */
    lua_insert(L, 3); /* false, handler, error, ... */
    lua_settop(L, 3);
    lua_call(L, 1, 1);
    return 2;
}

static int safe_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int n = lua_gettop(L);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    lua_replace(L, 2);
    lua_replace(L, 1); /* handler, function, arguments... */
    lua_pushnil(L);    /* finish_xpcall's slot 2 */
    lua_insert(L, 2);
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 0, 0, finish_xpcall);
    return finish_xpcall(L, status, 0);
}

/* Calls the library's own function, upvalue 1, if the budget is not spent: a new
 * coroutine starts its own count to the hook, so that nests of them would never see it.
 */
static int call_in_time(lua_State *L)
{
    vm_check(vm_of(L), L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* coroutine.close for coroutines that did not fail: in one that did, __close would run
 * without the hook. */
static int close_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "the coroutine has failed");
        return 2;
    }
    return call_in_time(L);
}

/* What coroutine.wrap returns; upvalue 1 is the coroutine. */
static int resume_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int n = lua_gettop(L), results;
    vm_check(vm_of(L), L);
    if (!lua_checkstack(co, n))
        return luaL_error(L, "too many arguments to resume");
    if (lua_status(co) == LUA_OK && lua_gettop(co) == 0)
        return luaL_error(L, "cannot resume dead coroutine");
    if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD)
        return luaL_error(L, "cannot resume dead coroutine");
    lua_xmove(L, co, n);
    int status = lua_resume(co, L, n, &results);
    if (status == LUA_OK || status == LUA_YIELD) {
        luaL_checkstack(L, results, "too many results");
        lua_xmove(co, L, results);
        return results;
    }
    bool failed = lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD;
    if (failed &&
        !vm_of(L)->expired)  /* else it runs: who resumes itself, or its resumer */
        lua_resetthread(co); /* closes what is to be closed; the error stays on top */
    luaL_checkstack(L, 2, "error");
    lua_xmove(co, L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_coroutine(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    vm_check(vm_of(L), L);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, resume_wrapped, 1);
    return 1;
}

/* The C loops of the libraries run without the hook: their counts are bounded by what
 * memory can hold. */
enum { COUNT_MAX = 10000000 };

static int repeat_string(lua_State *L)
{
    size_t len, separator;
    luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator);
    if (len + separator == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    luaL_argcheck(L, n <= COUNT_MAX * 10LL, 2, "too large");
    return call_in_time(L);
}

static int move_table(lua_State *L)
{
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    luaL_argcheck(L, last < first || (lua_Unsigned)last - (lua_Unsigned)first < COUNT_MAX,
                  3, "too many elements to move");
    return call_in_time(L);
}

/* table.insert, remove, concat and sort: the length is what the table holds; __len could
 * say another one each time it is asked. */
static int call_with_length(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, luaL_getmetafield(L, 1, "__len") == LUA_TNIL, 1,
                  "a table with __len is not taken here");
    luaL_argcheck(L, lua_rawlen(L, 1) <= COUNT_MAX, 1, "too long");
    return call_in_time(L);
}

static int concat_table(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer first = luaL_optinteger(L, 3, 1);
    lua_Integer last = luaL_optinteger(L, 4, (lua_Integer)lua_rawlen(L, 1));
    luaL_argcheck(L, last < first || (lua_Unsigned)last - (lua_Unsigned)first < COUNT_MAX,
                  4, "too many elements");
    return call_with_length(L);
}

/* Replaces field `name` of the table on top by f with the old value as its upvalue. [-0,
 * +0] */
static void guard(lua_State *L, const char *name, lua_CFunction f)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

/* Replaces what could run without end by functions that can't. The globals are on top.
 * [-0, +0] */
static void guard_libraries(lua_State *L)
{
    static const char *const by_length[] = {"insert", "remove", "sort", NULL};
    lua_pushcfunction(L, set_metatable);
    lua_setfield(L, -2, "setmetatable");
    lua_pushcfunction(L, safe_xpcall);
    lua_setfield(L, -2, "xpcall");
    lua_getfield(L, -1, "coroutine");
    guard(L, "create", call_in_time);
    guard(L, "close", close_coroutine);
    lua_pushcfunction(L, wrap_coroutine);
    lua_setfield(L, -2, "wrap");
    lua_pop(L, 1);
    lua_getfield(L, -1, "string");
    guard(L, "rep", repeat_string);
    lua_pop(L, 1);
    lua_getfield(L, -1, "table");
    guard(L, "move", move_table);
    guard(L, "concat", concat_table);
    for (int i = 0; by_length[i]; i++)
        guard(L, by_length[i], call_with_length);
    lua_pop(L, 1);
}

/* collectgarbage("count") alone: the rest is the server's business. */
static int collect_count(lua_State *L)
{
    const char *what = luaL_optstring(L, 1, "collect");
    if (strcmp(what, "count") != 0)
        return luaL_error(L, "collectgarbage: a script may only ask for \"count\"");
    lua_pushnumber(L, (double)vm_of(L)->memory / 1024);
    return 1;
}

/* __newindex of the globals. */
static int refuse_global(lua_State *L)
{
    return luaL_error(L, "global '%s' is assigned: say local, or put it into a table",
                      luaL_tolstring(L, 2, NULL));
}

/* os.time and os.date say the time of the turn, as chat.now does: upvalue 1 is the
 * library's own. */
static int time_of_turn(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_pushinteger(L, (lua_Integer)*vm_of(L)->now);
        return 1;
    }
    return call_in_time(L);
}

static int date_of_turn(lua_State *L)
{
    luaL_optstring(L, 1, "%c");
    lua_settop(L, 2);
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "%c");
        lua_replace(L, 1);
    }
    if (lua_isnil(L, 2)) {
        lua_pushinteger(L, (lua_Integer)*vm_of(L)->now);
        lua_replace(L, 2);
    }
    return call_in_time(L);
}

/* Copies the fields `names` of the table on top into the table below it; pops the table.
 * [-1, +0] */
static void copy_fields(lua_State *L, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(L, -1, *names);
        lua_setfield(L, -3, *names);
    }
    lua_pop(L, 1);
}

/* Sets field `name` of the table on top to a copy of the library `name`. [-0, +0] */
static void copy_library(lua_State *L, const char *name, lua_CFunction open)
{
    luaL_requiref(L, name, open, 0);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, -3);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_settable(L, -4);
    }
    lua_remove(L, -2);
    lua_setfield(L, -2, name);
}

void sandbox_push(lua_State *L)
{
    static const char *const base[] = {
        "assert", "error",  "getmetatable", "ipairs",   "next",
        "pairs",  "pcall",  "rawequal",     "rawget",   "rawlen",
        "rawset", "select", "setmetatable", "tonumber", "tostring",
        "type",   "xpcall", "_VERSION",     NULL};
    static const char *const os[] = {"time", "clock", "date", "difftime", NULL};
    lua_newtable(L);
    luaL_requiref(L, "_G", luaopen_base, 0);
    copy_fields(L, base);
    copy_library(L, "string", luaopen_string);
    copy_library(L, "table", luaopen_table);
    copy_library(L, "math", luaopen_math);
    copy_library(L, "utf8", luaopen_utf8);
    copy_library(L, "coroutine", luaopen_coroutine);
    lua_newtable(L);
    luaL_requiref(L, "os", luaopen_os, 0);
    copy_fields(L, os);
    guard(L, "time", time_of_turn);
    guard(L, "date", date_of_turn);
    lua_setfield(L, -2, "os");
    guard_libraries(L);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, load_text, 1);
    lua_setfield(L, -2, "load");
    lua_pushcfunction(L, collect_count);
    lua_setfield(L, -2, "collectgarbage");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
    lua_newtable(L);
    lua_pushcfunction(L, refuse_global);
    lua_setfield(L, -2, "__newindex");
    lua_pushliteral(L, "globals");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

void sandbox_seed(lua_State *L, lua_Integer seed)
{
    luaL_requiref(L, "math", luaopen_math, 0);
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seed);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

/* The metatable of strings is shared by all; nobody gets at it. */
int sandbox_protect(lua_State *L)
{
    luaL_requiref(L, "string", luaopen_string, 0);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    return 0;
}
