/* vm: one Lua state: its memory cap and its time budget.
 * Does not know: clients, rooms, mail, or what the scripts are for.
 * Thread: the host's.
 * Owner: the host, which embeds it. */
#ifndef CHARLUA_LUA_VM_H
#define CHARLUA_LUA_VM_H

#include "base/map.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VM_ERROR_SIZE = 2048 };

enum { VM_WORK_NS = 50000, VM_SIZE_CLASSES = 64 };

struct vm {
    lua_State *L;
    lua_State *running; /* whose code runs: the budget's end is told to it */
    size_t memory;      /* bytes in use */
    size_t memory_max;  /* allocation fails beyond it */
    size_t memory_end;  /* beyond it the running budget is spent */
    size_t unlooked;    /* bytes allocated since somebody looked at the budget */
    uint64_t work;      /* nanoseconds of C code since then, by estimate */
    uint64_t deadline;  /* when to look at what the running budget has used,
                         * CLOCK_MONOTONIC nanoseconds; 0: none runs */
    uint64_t budget;    /* of the running one, nanoseconds */
    uint64_t cpu_end;   /* of it, in the thread's own time; 0: not looked at yet */
    const double *now;  /* seconds since 1970 for os.time and os.date */
    bool expired;       /* the running budget is spent */
    bool overgrown;     /* on memory, not on time */
    bool refused;       /* a string was, for its length, since it began */
    bool no_memory;     /* the last vm_call failed for it */
    struct map large;   /* the long strings: address to class of size */
    uint32_t large_count[VM_SIZE_CLASSES]; /* by class: powers of two */
};

/* Opens a state whose allocations stay under `memory_max` bytes. `self` can be had back
 * from any of its threads by vm_self. Returns 0, or -1 when memory is out. */
int vm_open(struct vm *vm, size_t memory_max, void *self);
void vm_close(struct vm *vm);

/* What was given to vm_open. */
static inline void *vm_self(lua_State *L)
{
    return *(void **)lua_getextraspace(L);
}

/* The vm of a state, from any of its threads. */
struct vm *vm_of(lua_State *L);

/* From here to vm_budget_end, Lua code may run for `seconds` of the thread's own time,
 * and the state may grow by half of its memory; then every instruction raises an error,
 * which neither pcall nor a coroutine can outlive. */
void vm_budget_begin(struct vm *vm, double seconds);
void vm_budget_end(struct vm *vm);

/* Tells the vm that the code of `co` runs from now on: whoever resumes it. Returns who
 * ran before, to be said once it has returned. */
lua_State *vm_run(struct vm *vm, lua_State *co);

/* Runs what is to be closed in `co`, which failed, unless the budget is spent; its error
 * is on its top afterwards. */
void vm_reset(struct vm *vm, lua_State *co);

/* The longest string that there can be, in bytes: what C code does to one string takes
 * no longer than that. */
size_t vm_string_max(const struct vm *vm);

/* Raises when `len` bytes are too long for a string. */
void vm_check_string(struct vm *vm, lua_State *L, size_t len);

/* Raises when the running budget is spent: for C functions that do much. */
void vm_check(struct vm *vm, lua_State *L);

/* The same, also when less than `ns` nanoseconds are left of it. */
void vm_need(struct vm *vm, lua_State *L, uint64_t ns);

/* For C code, which no hook stops: some `ns` nanoseconds of it come next. The budget is
 * looked at when there was some more of it. Raises as vm_need does. */
static inline void vm_work(struct vm *vm, lua_State *L, uint64_t ns)
{
    vm->work += ns;
    if (vm->work >= VM_WORK_NS)
        vm_need(vm, L, ns);
}

/* Calls f(L) with `arg` as a light userdata under protection. Returns 0, or -1 with the
 * message and, if there is one, the traceback in `error`. The stack is as it was. */
int vm_call(struct vm *vm, lua_CFunction f, void *arg, char error[VM_ERROR_SIZE]);

/* Describes the error value on top of `from`, with a traceback of `from`, into `error`.
 * May raise for lack of memory on L. [from: -0, +0] */
void vm_describe(lua_State *L, lua_State *from, char error[VM_ERROR_SIZE]);

#endif
