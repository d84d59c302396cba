/* vm: the allocator that counts, the hook that looks at the clock. */
#include "script/vm.h"

#include "script/sandbox.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOOK_INSTRUCTIONS = 5000 }; /* some 50 microseconds */

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* The budget is the thread's own time, which a busy machine takes nothing of. But that
 * clock is a system call, which most handlers are too short to be worth: it is read for
 * the first time at the first hook, within some 50 microseconds of the beginning. */
static void look_at_cpu(struct vm *vm)
{
    if (vm->deadline && !vm->cpu_end)
        vm->cpu_end = now_ns(CLOCK_THREAD_CPUTIME_ID) + vm->budget;
}

/* The other clock says when the budget may be over at the earliest. */
static bool is_over(struct vm *vm)
{
    uint64_t now, used;
    if (vm->deadline == 0 || (now = now_ns(CLOCK_MONOTONIC)) < vm->deadline)
        return false;
    look_at_cpu(vm);
    used = now_ns(CLOCK_THREAD_CPUTIME_ID);
    if (used >= vm->cpu_end)
        return true;
    vm->deadline = now + (vm->cpu_end - used);
    return false;
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
struct vm *vm_of(lua_State *L)
{
    void *vm;
    lua_getallocf(L, &vm);
    return vm;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct vm *vm = vm_of(L);
    look_at_cpu(vm);
    if (!is_over(vm)) {
        lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
        return;
    }
    vm->expired = true;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1); /* whoever catches this is caught again */
    luaL_where(L, 0); /* in a hook, level 0 is what was running */
    lua_pushliteral(L, "out of time: a handler may not run that long");
    lua_concat(L, 2);
    lua_error(L);
}

void vm_check(struct vm *vm, lua_State *L)
{
    if (!is_over(vm))
        return;
    vm->expired = true;
    luaL_error(L, "out of time: a handler may not run that long");
}

void vm_budget_begin(struct vm *vm, double seconds)
{
    vm->expired = false;
    vm->budget = (uint64_t)(seconds * 1e9);
    vm->deadline = now_ns(CLOCK_MONOTONIC) + vm->budget;
    vm->cpu_end = 0;
}

void vm_budget_end(struct vm *vm)
{
    vm->deadline = 0;
}

/* Whether a traceback has a line of a script; one with none helps nobody. */
static bool names_a_line(const char *traceback)
{
    for (const char *line = traceback; (line = strstr(line, "\n\t")); line += 2)
        if (strncmp(line + 2, "[C]:", 4) != 0)
            return true;
    return false;
}

void vm_describe(lua_State *L, lua_State *from, char error[VM_ERROR_SIZE])
{
    /* Never through __tostring: an error object of the script's could raise there. */
    const char *message =
        lua_type(from, -1) == LUA_TSTRING ? lua_tostring(from, -1) : NULL;
    snprintf(error, VM_ERROR_SIZE, "%s%s",
             message ? message : "an error object that is a ",
             message ? "" : luaL_typename(from, -1));
    luaL_traceback(L, from, NULL, 0);
    size_t len = strlen(error);
    if (names_a_line(lua_tostring(L, -1)))
        snprintf(error + len, VM_ERROR_SIZE - len, "\n%s", lua_tostring(L, -1));
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
    vm->no_memory = status == LUA_ERRMEM;
    return status == LUA_OK ? 0 : -1;
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
    if (vm_call(vm, sandbox_protect, NULL, error) == 0)
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
