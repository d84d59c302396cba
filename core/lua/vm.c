/* vm: the allocator that counts, the hook that looks at the clock. */
#include "lua/vm.h"

#include "base/clock.h"
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    HOOK_INSTRUCTIONS = 5000,  /* some 50 microseconds */
    LOOK_BYTES = 1 << 20,      /* allocated, then the budget is looked at */
    LARGE_BYTES = 16 << 10,    /* a long string */
    INTERVAL_BYTES = 16 << 20, /* of strings that the code between two hooks may read */
    STRING_PART = 8,
    GROWTH_PART = 2, /* of the memory: the most of one string, of a budget */
};

/* The time that this thread has been running. */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* The budget is the thread's own time, which a busy machine takes nothing of. But that
 * clock is a system call, which most handlers are too short to be worth: it is read for
 * the first time at the first hook, within some 50 microseconds of the beginning. */
static void look_at_cpu(struct vm *vm)
{
    if (vm->deadline && !vm->cpu_end)
        vm->cpu_end = cpu_ns() + vm->budget;
}

/* Whether the budget has less than `ns` left. The other clock says when that may be at
 * the earliest. */
static bool is_over(struct vm *vm, uint64_t ns)
{
    uint64_t now, used;
    if (vm->deadline == 0 || (now = clock_ns()) + ns < vm->deadline)
        return false;
    look_at_cpu(vm);
    used = cpu_ns();
    if (used + ns >= vm->cpu_end)
        return true;
    vm->deadline = now + (vm->cpu_end - used);
    return false;
}

/* Looks at the budget: time, then memory. */
static bool is_spent(struct vm *vm, uint64_t ns)
{
    vm->unlooked = vm->work = 0;
    if (!vm->expired && vm->deadline && vm->memory > vm->memory_end)
        vm->expired = vm->overgrown = true;
    vm->expired |= is_over(vm, ns);
    return vm->expired;
}

static void on_count(lua_State *L, lua_Debug *ar);

/* Instructions until the next hook: fewer where one of them can take long. */
static int interval(const struct vm *vm)
{
    for (int class = VM_SIZE_CLASSES - 1; vm->large.count && class > 0; class --)
        if (vm->large_count[class])
            return (INTERVAL_BYTES >> class) > 0 ? INTERVAL_BYTES >> class : 1;
    return HOOK_INSTRUCTIONS;
}

static void arm(struct vm *vm, lua_State *L, int instructions)
{
    lua_sethook(L, on_count, LUA_MASKCOUNT, vm->expired ? 1 : instructions);
}

/* The allocator can't raise: whoever runs does, at its next instruction. */
static void look(struct vm *vm)
{
    if (vm->running && is_spent(vm, 0))
        arm(vm, vm->running, 1);
}

/* Notes a new long string. Returns false when memory is out. */
static bool note_large(struct vm *vm, void *at, size_t size)
{
    uintptr_t class = 63U - (unsigned)__builtin_clzll(size);
    if (map_put(&vm->large, (uintptr_t)at, (void *)class) < 0)
        return false;
    if (vm->large_count[class]++ == 0 && vm->running)
        arm(vm, vm->running, interval(vm));
    return true;
}

static void *allocate(void *ud, void *at, size_t old, size_t size)
{
    struct vm *vm = ud;
    bool is_string = !at && old == LUA_TSTRING;
    if (!at)
        old = 0; /* then it is the kind of the object (manual 4.6, lua_Alloc) */
    if (size == 0) {
        uintptr_t class =
            old >= LARGE_BYTES ? (uintptr_t)map_take(&vm->large, (uintptr_t)at) : 0;
        vm->large_count[class] -= class > 0;
        free(at);
        vm->memory -= old;
        return NULL;
    }
    if ((size > old && size - old > vm->memory_max - vm->memory) ||
        (is_string && size > vm_string_max(vm))) {
        look(vm);
        return NULL;
    }
    void *moved = realloc(at, size);
    if (!moved)
        return NULL;
    if (is_string && size >= LARGE_BYTES && !note_large(vm, moved, size)) {
        free(moved);
        return NULL;
    }
    vm->memory = vm->memory - old + size;
    vm->unlooked += size > old ? size - old : 0;
    if (vm->unlooked >= LOOK_BYTES)
        look(vm);
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

/* What a spent budget raises. */
static const char *reason(const struct vm *vm)
{
    return vm->overgrown ? "not enough memory: a handler may not use that much"
                         : "out of time: a handler may not run that long";
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct vm *vm = vm_of(L);
    look_at_cpu(vm);
    (void)is_spent(vm, 0);
    arm(vm, L, interval(vm)); /* whoever catches the error is caught again */
    if (!vm->expired)
        return;
    luaL_where(L, 0); /* in a hook, level 0 is what was running */
    lua_pushstring(L, reason(vm));
    lua_concat(L, 2);
    lua_error(L);
}

lua_State *vm_run(struct vm *vm, lua_State *co)
{
    lua_State *before = vm->running;
    vm->running = co;
    if (co && (vm->large.count || vm->expired))
        arm(vm, co, interval(vm));
    return before;
}

void vm_reset(struct vm *vm, lua_State *co)
{
    lua_State *before = vm_run(vm, co);
    if (!vm->expired) /* else it would run without the hook */
        lua_resetthread(co);
    vm_run(vm, before);
}

size_t vm_string_max(const struct vm *vm)
{
    return vm->memory_max / STRING_PART;
}

void vm_check_string(struct vm *vm, lua_State *L, size_t len)
{
    if (len <= vm_string_max(vm))
        return;
    vm->refused = true;
    luaL_error(L, "not enough memory: a string may have %I bytes",
               (LUAI_UACINT)vm_string_max(vm));
}

void vm_check(struct vm *vm, lua_State *L)
{
    vm_need(vm, L, 0);
}

void vm_need(struct vm *vm, lua_State *L, uint64_t ns)
{
    look_at_cpu(vm);
    if (is_spent(vm, ns)) {
        arm(vm, L, 1);
        luaL_error(L, "%s", reason(vm));
    }
}

void vm_budget_begin(struct vm *vm, double seconds)
{
    size_t left = vm->memory_max - vm->memory, most = vm->memory_max / GROWTH_PART;
    vm->expired = vm->overgrown = vm->refused = false;
    vm->work = vm->unlooked = 0;
    vm->memory_end = vm->memory + (left < most ? left : most);
    vm->budget = (uint64_t)(seconds * 1e9);
    vm->deadline = clock_ns() + vm->budget;
    vm->cpu_end = 0;
}

void vm_budget_end(struct vm *vm)
{
    vm->deadline = 0;
    vm->expired = vm->overgrown = false;
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
    snprintf(error, VM_ERROR_SIZE / 2, "%.1000s%s", /* the place is as important */
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
    lua_State *before = vm_run(vm, L);
    int status = lua_pcall(L, 1, 0, top + 1);
    vm_run(vm, before);
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
    map_deinit(&vm->large);
}
