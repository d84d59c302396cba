/* vm: one Lua state: its memory cap, and calls into it under protection. What a handler
 * may use of it is budget.h's. Does not know: clients, rooms, mail, or what the scripts
 * are for. Thread: the host's. Owner: the host, which embeds it. */
#ifndef CHARLUA_LUA_VM_H
#define CHARLUA_LUA_VM_H

#include "lua/budget.h"

#include <locale.h>

enum { VM_ERROR_SIZE = 2048 };

struct vm {
    struct budget budget; /* first: see vm_of */
    void *self;           /* what was given to vm_open */
    lua_State *L;
    size_t memory_max; /* allocation fails beyond it */
    const double *now; /* seconds since 1970 for os.time and os.date */
    bool refused;      /* a string was, for its length, since the budget began */
    bool no_memory;    /* the last vm_call failed for it */
    locale_t locale;   /* of all that runs in it: C's */
};

/* Opens a state whose allocations stay under `memory_max` bytes. `self` can be had back
 * from any of its threads by vm_self. Returns 0, or -1 when memory is out. sandbox_open
 * is what rules need. */
int vm_open(struct vm *vm, size_t memory_max, void *self);
void vm_close(struct vm *vm);

/* The vm of a state, from any of its threads. */
static inline struct vm *vm_of(lua_State *L)
{
    return (struct vm *)budget_of(L);
}

/* What was given to vm_open. */
static inline void *vm_self(lua_State *L)
{
    return vm_of(L)->self;
}

/* budget_begin and budget_end for what runs in this state: it may grow by half of its
 * memory. */
void vm_budget_begin(struct vm *vm, double seconds);
void vm_budget_end(struct vm *vm);

/* Runs what is to be closed in `co`, which failed, unless the budget is spent; its error
 * is on its top afterwards. */
void vm_reset(struct vm *vm, lua_State *co);

/* The longest string that there can be, in bytes: what C code does to one string takes
 * no longer than that. */
size_t vm_string_max(const struct vm *vm);

/* Raises when `len` bytes are too long for a string. */
void vm_check_string(lua_State *L, size_t len);

/* Calls f(L) with `arg` as a light userdata under protection, in the locale C whatever an
 * embedding program has set: numbers have a point, and letters are ASCII's. Returns 0, or
 * -1 with the message and, if there is one, the traceback in `error`. The stack is as it
 * was. */
int vm_call(struct vm *vm, lua_CFunction f, void *arg, char error[VM_ERROR_SIZE]);

/* Describes the error value on top of `from`, with a traceback of `from`, into `error`.
 * May raise for lack of memory on L. [from: -0, +0] */
void vm_describe(lua_State *L, lua_State *from, char error[VM_ERROR_SIZE]);

#endif
