/* sandbox: fresh copies of the libraries for every load, without what reaches outside,
 * and with guards where C code could run or allocate without end. */
#include "lua/sandbox.h"

#include "lua/guard.h"
#include "lua/vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

enum { LOAD_PART = 4096, PARSE_NS = 100 /* a byte */ };

struct text {
    const char *at;
    size_t left;
};

/* A lua_Reader: the parser gets the text in parts, between which the budget is looked at.
 */
static const char *read_text(lua_State *L, void *ud, size_t *size)
{
    struct text *t = ud;
    const char *part = t->at;
    *size = t->left < LOAD_PART ? t->left : LOAD_PART;
    budget_work(L, *size * PARSE_NS);
    t->at += *size;
    t->left -= *size;
    return part;
}

/* load(chunk [, name [, mode [, env]]]) for text only, unless upvalue 2 is true: bytecode
 * can break the state. The function runs in the caller's globals (upvalue 1) unless env
 * is given. */
static int load_text(lua_State *L)
{
    struct text text;
    text.at = luaL_checklstring(L, 1, &text.left);
    const char *name = luaL_optstring(L, 2, text.at);
    bool any = lua_toboolean(L, lua_upvalueindex(2));
    const char *mode = any ? luaL_optstring(L, 3, "bt") : "t";
    if (lua_load(L, read_text, &text, name, mode) != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (lua_isnone(L, 4))
        lua_pushvalue(L, lua_upvalueindex(1));
    else
        lua_pushvalue(L, 4);
    if (!lua_setupvalue(L, -2, 1))
        lua_pop(L, 1); /* bytecode that has none */
    return 1;
}

/* collectgarbage("count") alone: the rest is the server's business. */
static int collect_count(lua_State *L)
{
    const char *what = luaL_optstring(L, 1, "collect");
    if (strcmp(what, "count") != 0)
        return luaL_error(L, "collectgarbage: a script may only ask for \"count\"");
    lua_pushnumber(L, (double)budget_of(L)->memory / 1024);
    return 1;
}

/* __newindex of the globals. */
static int refuse_global(lua_State *L)
{
    return luaL_error(L, "global '%s' is assigned: say local, or put it into a table",
                      luaL_tolstring(L, 2, NULL));
}

/* __index of the globals. */
static int refuse_unknown(lua_State *L)
{
    static const char *const trusted[] = {"io", "debug", "package"};
    const char *name = luaL_tolstring(L, 2, NULL);
    for (size_t i = 0; i < sizeof trusted / sizeof *trusted; i++) {
        if (strcmp(name, trusted[i]) == 0)
            return luaL_error(L, "scripts have no '%s' unless the server has --trusted",
                              name);
    }
    return luaL_error(L, "global '%s' is not there (misspelt, or a missing local?)",
                      name);
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

/* Sets field `name` of the table on top to a guarded copy of the library `name`. [-0, +0]
 */
static void copy_library(lua_State *L, const char *name, lua_CFunction open,
                         void (*guard)(lua_State *L))
{
    luaL_requiref(L, name, open, 0);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, -3);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_settable(L, -4);
    }
    lua_remove(L, -2);
    if (guard)
        guard(L);
    lua_setfield(L, -2, name);
}

void sandbox_push_load(lua_State *L, int globals, bool bytecode)
{
    lua_pushvalue(L, globals);
    lua_pushboolean(L, bytecode);
    lua_pushcclosure(L, load_text, 2);
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
    guard_base(L);
    copy_library(L, "string", luaopen_string, guard_string);
    copy_library(L, "table", luaopen_table, guard_table);
    copy_library(L, "math", luaopen_math, NULL);
    copy_library(L, "utf8", luaopen_utf8, guard_utf8);
    copy_library(L, "coroutine", luaopen_coroutine, guard_coroutine);
    lua_newtable(L);
    luaL_requiref(L, "os", luaopen_os, 0);
    copy_fields(L, os);
    guard_os(L);
    lua_setfield(L, -2, "os");
    sandbox_push_load(L, lua_gettop(L), false);
    lua_setfield(L, -2, "load");
    lua_pushcfunction(L, collect_count);
    lua_setfield(L, -2, "collectgarbage");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
    lua_newtable(L);
    lua_pushcfunction(L, refuse_global);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, refuse_unknown);
    lua_setfield(L, -2, "__index");
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

void sandbox_chance(lua_State *L, uint8_t *bytes, size_t n)
{
    luaL_requiref(L, "math", luaopen_math, 0);
    lua_getfield(L, -1, "random");
    for (size_t i = 0; i < n; i++) {
        lua_pushvalue(L, -1);
        lua_pushinteger(L, 0);
        lua_call(L, 1, 1);
        bytes[i] = (uint8_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

/* Under protection: the metatable of strings is shared by all; nobody gets at it, nor at
 * the table of their methods, which are the guarded ones. */
static int protect(lua_State *L)
{
    lua_newtable(L);
    copy_library(L, "string", luaopen_string, guard_string);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getfield(L, -3, "string");
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    return 0;
}

int sandbox_open(struct vm *vm, size_t memory_max, void *self)
{
    char error[VM_ERROR_SIZE];
    if (vm_open(vm, memory_max, self) < 0)
        return -1;
    if (vm_call(vm, protect, NULL, error) == 0)
        return 0;
    vm_close(vm);
    return -1;
}
