/* vm: the allocator that counts, and calls whose errors have tracebacks.
 *
 * Lua's collector works while something is allocated, in whichever handler that is, and
 * no hook stops it. By default it may look at 100 objects for every 16 bytes: a list of
 * 77 KB for somebody who logs in swept all that 50,000 clients had left, and took 32 ms
 * of a budget of 50. With COLLECTOR_WORK it takes a tenth of that, and the heap grows by
 * a quarter more before a cycle has ended. */
#include "lua/vm.h"

#include "lua/describe.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRING_PART = 8,    /* of the memory: the most of one string */
    GROWTH_PART = 2,    /* the most of one budget */
    COLLECTOR_WORK = 4, /* objects looked at for 16 bytes; an object is made of more than
                         * 16, so that it keeps up */
};

_Static_assert(offsetof(struct vm, budget) == 0, "vm_of finds it there");

/* lua_Alloc. */
static void *allocate(void *ud, void *at, size_t old, size_t size)
{
    struct vm *vm = ud;
    struct budget *b = &vm->budget;
    bool is_string = !at && old == LUA_TSTRING;
    if (!at)
        old = 0; /* then it is the kind of the object (manual 4.6, lua_Alloc) */
    if (size == 0) {
        budget_forget(b, at, old);
        free(at);
        b->memory -= old;
        return NULL;
    }
    if ((size > old && size - old > vm->memory_max - b->memory) ||
        (is_string && size > vm_string_max(vm))) {
        budget_count(b, SIZE_MAX);
        return NULL;
    }
    void *moved = realloc(at, size);
    if (!moved)
        return NULL;
    if (is_string && !budget_note_string(b, moved, size)) {
        free(moved);
        return NULL;
    }
    b->memory = b->memory - old + size;
    budget_count(b, size > old ? size - old : 0);
    return moved;
}

void vm_budget_begin(struct vm *vm, double seconds)
{
    size_t left = vm->memory_max - vm->budget.memory, most = vm->memory_max / GROWTH_PART;
    vm->refused = false;
    budget_begin(&vm->budget, seconds, left < most ? left : most);
}

void vm_budget_end(struct vm *vm)
{
    budget_end(&vm->budget);
}

void vm_reset(struct vm *vm, lua_State *co)
{
    lua_State *before = budget_run(&vm->budget, co);
    if (!vm->budget.expired) /* else it would run without the hook */
        lua_resetthread(co);
    budget_run(&vm->budget, before);
}

size_t vm_string_max(const struct vm *vm)
{
    return vm->memory_max / STRING_PART;
}

void vm_check_string(lua_State *L, size_t len)
{
    struct vm *vm = vm_of(L);
    if (len <= vm_string_max(vm))
        return;
    vm->refused = true;
    luaL_error(L, "not enough memory: a string may have %I bytes",
               (LUAI_UACINT)vm_string_max(vm));
}

enum { DESCRIBED_MAX = 300 }; /* bytes of an error that is no text */

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
    char value[DESCRIBED_MAX];
    if (message) {
        snprintf(error, VM_ERROR_SIZE / 2, "%.1000s", message); /* the place is as
                                                                 * important */
    } else {
        describe_value(from, -1, value, sizeof value);
        snprintf(error, VM_ERROR_SIZE / 2, "an error object that is a %s: %s",
                 luaL_typename(from, -1), value);
    }
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
    lua_State *before = budget_run(&vm->budget, L);
    locale_t theirs = uselocale(vm->locale);
    int status = lua_pcall(L, 1, 0, top + 1);
    uselocale(theirs);
    budget_run(&vm->budget, before);
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
    *vm = (struct vm){.memory_max = memory_max, .self = self};
    vm->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!vm->locale)
        return -1;
    vm->L = lua_newstate(allocate, vm);
    if (!vm->L) {
        vm_close(vm);
        return -1;
    }
    *(struct budget **)lua_getextraspace(vm->L) = &vm->budget;
    budget_watch(vm->L);
    lua_gc(vm->L, LUA_GCINC, 0, COLLECTOR_WORK, 0); /* the rest as it is */
    return 0;
}

void vm_close(struct vm *vm)
{
    if (vm->L)
        lua_close(vm->L);
    vm->L = NULL;
    if (vm->locale)
        freelocale(vm->locale);
    vm->locale = (locale_t)0;
    budget_deinit(&vm->budget);
}
