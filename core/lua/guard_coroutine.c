/* guard_coroutine: coroutines, of which each starts a count to the hook of its own, and
 * whose code the budget has to know of. */
#include "lua/guard.h"

#include "lua/vm.h"

#include <lauxlib.h>

static lua_State *check_coroutine(lua_State *L, int index)
{
    lua_State *co = lua_tothread(L, index);
    luaL_argexpected(L, co, index, "thread");
    return co;
}

static bool has_failed(lua_State *co)
{
    return lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD;
}

/* coroutine.create, and the beginning of wrap. Nests of coroutines would never see the
 * hook, so that each is some work. */
static int create_coroutine(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    budget_work(L, 1000);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

/* Resumes `co` with the `n` values on top. Returns the number of results that are pushed,
 * or -1: the error is. */
static int resume(lua_State *L, lua_State *co, int n)
{
    struct budget *budget = budget_of(L);
    int results = 0;
    budget_work(L, 200);
    if (!lua_checkstack(co, n)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, n);
    lua_State *before = budget_run(budget, co);
    int status = lua_resume(co, L, n, &results);
    budget_run(budget, before);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, results + 2)) {
        lua_pop(co, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, results);
    return results;
}

static int resume_coroutine(lua_State *L)
{
    lua_State *co = check_coroutine(L, 1);
    int results = resume(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, results >= 0);
    lua_insert(L, -(results < 0 ? 2 : results + 1));
    return results < 0 ? 2 : results + 1;
}

/* What coroutine.wrap returns; upvalue 1 is the coroutine. */
static int resume_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int results = resume(L, co, lua_gettop(L));
    if (results >= 0)
        return results;
    if (has_failed(co) && /* else it runs: who resumes itself, or its resumer */
        !budget_of(L)->expired) {
        lua_pop(L, 1);
        vm_reset(vm_of(L), co);
        lua_xmove(co, L, 1);
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_coroutine(lua_State *L)
{
    create_coroutine(L);
    lua_pushcclosure(L, resume_wrapped, 1);
    return 1;
}

/* coroutine.close for coroutines that did not fail: in one that did, __close would run
 * without the hook. Upvalue 1 is the library's. */
static int close_coroutine(lua_State *L)
{
    if (has_failed(check_coroutine(L, 1))) {
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "the coroutine has failed");
        return 2;
    }
    budget_work(L, 200);
    return guard_original(L);
}

void guard_coroutine(lua_State *L)
{
    guard_field(L, "create", create_coroutine);
    guard_field(L, "resume", resume_coroutine);
    guard_field(L, "wrap", wrap_coroutine);
    guard_field(L, "close", close_coroutine);
}
