/* vm: the allocator that counts, the hook that looks at the clock, the sandbox. */
#include "script/vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOOK_INSTRUCTIONS = 5000 }; /* some 50 microseconds */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void *allocate(void *ud, void *at, size_t old, size_t size)
{
    struct vm *vm = ud;
    if (!at)
        old = 0; /* then it is the kind of the object (manual 4.6, lua_Alloc) */
    if (size == 0) {
        free(at);
        vm->memory -= old;
        return NULL;
    }
    if (size > old && size - old > vm->memory_max - vm->memory)
        return NULL;
    void *moved = realloc(at, size);
    if (moved)
        vm->memory = vm->memory - old + size;
    return moved;
}

/* The vm hides behind the allocator's userdata, so that a hook finds it from any thread.
 */
static struct vm *vm_of(lua_State *L)
{
    void *vm;
    lua_getallocf(L, &vm);
    return vm;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct vm *vm = vm_of(L);
    if (vm->deadline == 0 || now_ns() < vm->deadline) {
        lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
        return;
    }
    vm->expired = true;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1); /* whoever catches this is caught again */
    luaL_error(L, "out of time: a handler may not run that long");
}

void vm_budget_begin(struct vm *vm, double seconds)
{
    vm->expired = false;
    vm->deadline = now_ns() + (uint64_t)(seconds * 1e9);
}

void vm_budget_end(struct vm *vm)
{
    vm->deadline = 0;
}

void vm_describe(lua_State *L, lua_State *from, char error[VM_ERROR_SIZE])
{
    /* Never through __tostring: an error object of the script's could raise there. */
    const char *message =
        lua_type(from, -1) == LUA_TSTRING ? lua_tostring(from, -1) : NULL;
    snprintf(error, VM_ERROR_SIZE, "%s%s",
             message ? message : "an error object that is a ",
             message ? "" : luaL_typename(from, -1));
    luaL_traceback(L, from, error, 0);
    snprintf(error, VM_ERROR_SIZE, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
}

/* Message handler: [-1, +1] the error with its traceback. */
static int add_traceback(lua_State *L)
{
    char error[VM_ERROR_SIZE];
    vm_describe(L, L, error);
    lua_pushstring(L, error);
    return 1;
}

int vm_call(struct vm *vm, lua_CFunction f, void *arg, char error[VM_ERROR_SIZE])
{
    lua_State *L = vm->L;
    int top = lua_gettop(L);
    lua_pushcfunction(L, add_traceback);
    lua_pushcfunction(L, f);
    lua_pushlightuserdata(L, arg);
    int status = lua_pcall(L, 1, 0, top + 1);
    if (status != LUA_OK)
        snprintf(error, VM_ERROR_SIZE, "%s",
                 lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
                                                : "not enough memory");
    lua_settop(L, top);
    return status == LUA_OK ? 0 : -1;
}

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

void vm_push_environment(lua_State *L)
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
    lua_setfield(L, -2, "os");
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

/* The metatable of strings is shared by all; nobody gets at it. */
static int protect_strings(lua_State *L)
{
    luaL_requiref(L, "string", luaopen_string, 0);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    return 0;
}

int vm_open(struct vm *vm, size_t memory_max, void *self)
{
    char error[VM_ERROR_SIZE];
    *vm = (struct vm){.memory_max = memory_max};
    vm->L = lua_newstate(allocate, vm);
    if (!vm->L)
        return -1;
    *(void **)lua_getextraspace(vm->L) = self;
    lua_sethook(vm->L, on_count, LUA_MASKCOUNT,
                HOOK_INSTRUCTIONS); /* inherited by coroutines */
    if (vm_call(vm, protect_strings, NULL, error) == 0)
        return 0;
    vm_close(vm);
    return -1;
}

void vm_close(struct vm *vm)
{
    if (vm->L)
        lua_close(vm->L);
    vm->L = NULL;
}
