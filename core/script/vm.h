/* vm: one Lua state: its memory cap and its time budget.
 * Does not know: clients, rooms, mail, or what the scripts are for.
 * Thread: the host's.
 * Owner: the host, which embeds it. */
#ifndef CHARLUA_SCRIPT_VM_H
#define CHARLUA_SCRIPT_VM_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VM_ERROR_SIZE = 2048 };

struct vm {
    lua_State *L;
    size_t memory;     /* bytes in use */
    size_t memory_max; /* allocation fails beyond it */
    uint64_t deadline; /* when to look at what the running budget has used,
                        * CLOCK_MONOTONIC nanoseconds; 0: none runs */
    uint64_t budget;   /* of the running one, nanoseconds */
    uint64_t cpu_end;  /* of it, in the thread's own time; 0: not looked at yet */
    const double *now; /* seconds since 1970 for os.time and os.date */
    bool expired;      /* the running budget was exceeded */
    bool no_memory;    /* the last vm_call failed for it */
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

/* From here to vm_budget_end, Lua code may run for `seconds`; then every instruction
 * raises an error, which neither pcall nor a coroutine can outlive. */
void vm_budget_begin(struct vm *vm, double seconds);
void vm_budget_end(struct vm *vm);

/* Raises when the running budget is spent: for C functions that do much. */
void vm_check(struct vm *vm, lua_State *L);

/* Calls f(L) with `arg` as a light userdata under protection. Returns 0, or -1 with the
 * message and, if there is one, the traceback in `error`. The stack is as it was. */
int vm_call(struct vm *vm, lua_CFunction f, void *arg, char error[VM_ERROR_SIZE]);

/* Describes the error value on top of `from`, with a traceback of `from`, into `error`.
 * May raise for lack of memory on L. [from: -0, +0] */
void vm_describe(lua_State *L, lua_State *from, char error[VM_ERROR_SIZE]);

#endif
