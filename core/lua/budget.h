/* budget: what ends a handler. From budget_begin to budget_end Lua code may use so much
 * of the thread's time and let the state grow by so much memory; then every instruction
 * raises. Does not know: what a handler is; how memory is allocated, which vm.c tells it.
 * Thread: the host's.
 * Owner: struct vm, whose first member it is, so that it is found from any lua_State. */
#ifndef CHARLUA_LUA_BUDGET_H
#define CHARLUA_LUA_BUDGET_H

#include "base/map.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BUDGET_WORK_NS = 50000,
    BUDGET_SIZE_CLASSES = 64,
    BUDGET_LARGE_BYTES = 2 << 10, /* a long string */
    BUDGET_LOOK_BYTES = 1 << 20,  /* allocated, then the budget is looked at */
};

struct budget {
    lua_State *running; /* whose code runs: the end is told to it */
    size_t memory;      /* bytes that the state uses; vm.c counts them */
    size_t memory_end;  /* beyond it the running budget is spent */
    size_t unlooked;    /* bytes allocated since somebody looked at the budget */
    uint64_t work;      /* nanoseconds of C code since then, by estimate */
    uint64_t deadline;  /* when to look at what the running budget has used,
                         * CLOCK_MONOTONIC nanoseconds; 0: none runs */
    uint64_t time;      /* of the running one, nanoseconds */
    uint64_t cpu_end;   /* of it, in the thread's own time; 0: not looked at yet */
    bool expired;       /* the running one is spent */
    bool overgrown;     /* on memory, not on time */
    struct map large;   /* the long strings: address to class of size */
    uint32_t large_count[BUDGET_SIZE_CLASSES]; /* by class: powers of two */
};

/* The budget of a state, from any of its threads: each has in its extra space where that
 * is, so that a hook, and all that has a price, finds it at once. */
static inline struct budget *budget_of(lua_State *L)
{
    return *(struct budget **)lua_getextraspace(L);
}

/* Sets the hook on a new state; its coroutines inherit it. */
void budget_watch(lua_State *L);
void budget_deinit(struct budget *b);

/* From here to budget_end, Lua code may run for `seconds` of the thread's own time, and
 * the state may grow by `growth` bytes; then every instruction raises an error, which
 * neither pcall nor a coroutine can outlive. */
void budget_begin(struct budget *b, double seconds, size_t growth);
void budget_end(struct budget *b);

/* The code of `co` runs from now on. Returns whose did before, which is to be said again
 * once `co` has returned. */
lua_State *budget_run(struct budget *b, lua_State *co);

/* Raises when the running budget has less than `ns` nanoseconds left. */
void budget_need(lua_State *L, uint64_t ns);

/* For C code, which no hook stops: some `ns` nanoseconds of it come next. The budget is
 * looked at when there was some more of it. Raises as budget_need does. */
static inline void budget_work(lua_State *L, uint64_t ns)
{
    struct budget *b = budget_of(L);
    b->work += ns;
    if (b->work >= BUDGET_WORK_NS || ns >= BUDGET_WORK_NS) /* the sum may wrap */
        budget_need(L, ns);
}

/* The same for one step of a walk (lua_next). In a table that was emptied a step looks at
 * every slot, and nobody says how many there are: as many as there is memory for. */
static inline void budget_walk(lua_State *L)
{
    enum { WALK_NS = 50, STEPS = 512 };
    uint64_t slots = budget_of(L)->memory / STEPS;
    budget_work(L, slots > WALK_NS ? (slots < BUDGET_WORK_NS ? slots : BUDGET_WORK_NS - 1)
                                   : WALK_NS);
}

/* --- for the allocator, which can't raise -------------------------------- */

/* Has the hook fire at once if the budget is spent. */
void budget_look(struct budget *b);

/* `more` bytes were allocated, or (SIZE_MAX) refused. */
static inline void budget_count(struct budget *b, size_t more)
{
    b->unlooked = more > SIZE_MAX - b->unlooked ? SIZE_MAX : b->unlooked + more;
    if (b->unlooked >= BUDGET_LOOK_BYTES)
        budget_look(b);
}

/* Notes a new string of `size` bytes at `at`, if it is long. False: memory is out. */
bool budget_note_string(struct budget *b, void *at, size_t size);
/* What is at `at`, `size` bytes, is freed. */
void budget_forget_large(struct budget *b, void *at);
static inline void budget_forget(struct budget *b, void *at, size_t size)
{
    if (size >= BUDGET_LARGE_BYTES)
        budget_forget_large(b, at);
}

#endif
