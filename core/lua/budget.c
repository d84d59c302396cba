/* budget: the hook that looks at the clock.
 *
 * Nothing interrupts Lua code but a count hook, and no hook fires in C code. So a handler
 * is stopped in three ways that together leave no gap of more than some 50 microseconds:
 *  - the hook looks every HOOK_INSTRUCTIONS instructions. One instruction (a comparison,
 * a concatenation) may read a whole string, so the longer the longest string that is
 * alive, the fewer instructions: with one of 16 MiB the hook fires at each.
 *  - the allocator can't raise. It looks every BUDGET_LOOK_BYTES, and if the budget is
 * spent it has the hook fire at the next instruction.
 *  - C code says beforehand what it will cost (budget_work). When 50 microseconds of that
 * are together, or what comes next is longer than what is left, it raises instead of
 * beginning. Once spent, the hook fires at each instruction: who catches the error is
 * caught again.
 *
 * The time is the thread's own, of which a busy machine and a debugger take nothing. That
 * clock is a system call, which most handlers are too short to be worth: CLOCK_MONOTONIC,
 * which is none, says when the other one may have run out at the earliest. A signal of a
 * timer was tried: it is the embedding program's, and what it interrupts may not raise
 * either. */
#include "lua/budget.h"

#include "base/clock.h"

#include <lauxlib.h>
#include <time.h>

enum {
    HOOK_INSTRUCTIONS = 5000, /* some 50 microseconds */
    INTERVAL_BITS = 24, /* 16 MiB of strings may be read by the code between two hooks */
};

/* The time that this thread has been running. */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* The thread's clock is read for the first time at the first hook, within some 50
 * microseconds of the beginning. */
static void look_at_cpu(struct budget *b)
{
    if (b->deadline && !b->cpu_end)
        b->cpu_end = cpu_ns() + b->time;
}

/* Whether there are less than `ns` left. */
static bool is_over(struct budget *b, uint64_t ns)
{
    uint64_t now, used;
    if (b->deadline == 0)
        return false;
    now = clock_ns();
    if (now < b->deadline && ns < b->deadline - now)
        return false;
    look_at_cpu(b);
    used = cpu_ns();
    if (used >= b->cpu_end || ns >= b->cpu_end - used)
        return true;
    b->deadline = now + (b->cpu_end - used);
    return false;
}

/* Looks at time and memory. */
static bool is_spent(struct budget *b, uint64_t ns)
{
    b->unlooked = b->work = 0;
    if (!b->expired && b->deadline && b->memory > b->memory_end)
        b->expired = b->overgrown = true;
    b->expired |= is_over(b, ns);
    return b->expired;
}

static void on_count(lua_State *L, lua_Debug *ar);

/* Instructions until the next hook: fewer where one of them can take long. */
static int interval(const struct budget *b)
{
    for (int class = BUDGET_SIZE_CLASSES - 1; b->large.count && class > 0; class --)
        if (b->large_count[class])
            return class < INTERVAL_BITS ? 1 << (INTERVAL_BITS - class) : 1;
    return HOOK_INSTRUCTIONS;
}

static void arm(struct budget *b, lua_State *L, int instructions)
{
    lua_sethook(L, on_count, LUA_MASKCOUNT, b->expired ? 1 : instructions);
}

/* What a spent budget raises. */
static const char *reason(const struct budget *b)
{
    return b->overgrown ? "not enough memory: a handler may not use that much"
                        : "out of time: a handler may not run that long";
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct budget *b = budget_of(L);
    look_at_cpu(b);
    (void)is_spent(b, 0);
    arm(b, L, interval(b)); /* whoever catches the error is caught again */
    if (!b->expired)
        return;
    luaL_where(L, 0); /* in a hook, level 0 is what was running */
    lua_pushstring(L, reason(b));
    lua_concat(L, 2);
    lua_error(L);
}

void budget_watch(lua_State *L)
{
    lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
}

void budget_deinit(struct budget *b)
{
    map_deinit(&b->large);
}

void budget_begin(struct budget *b, double seconds, size_t growth)
{
    b->expired = b->overgrown = false;
    b->work = b->unlooked = 0;
    b->memory_end = b->memory + growth;
    b->time = (uint64_t)(seconds * 1e9);
    b->deadline = clock_ns() + b->time;
    b->cpu_end = 0;
}

void budget_end(struct budget *b)
{
    b->deadline = 0;
    b->expired = b->overgrown = false;
}

lua_State *budget_run(struct budget *b, lua_State *co)
{
    lua_State *before = b->running;
    b->running = co;
    if (co && (b->large.count || b->expired))
        arm(b, co, interval(b));
    return before;
}

void budget_need(lua_State *L, uint64_t ns)
{
    struct budget *b = budget_of(L);
    look_at_cpu(b);
    if (is_spent(b, ns)) {
        arm(b, L, 1);
        luaL_error(L, "%s", reason(b));
    }
}

void budget_look(struct budget *b)
{
    if (b->running && is_spent(b, 0))
        arm(b, b->running, 1);
}

bool budget_note_string(struct budget *b, void *at, size_t size)
{
    if (size < BUDGET_LARGE_BYTES)
        return true;
    uintptr_t class = 63U - (unsigned)__builtin_clzll(size);
    if (map_put(&b->large, (uintptr_t)at, (void *)class) < 0)
        return false;
    if (b->large_count[class]++ == 0 && b->running)
        arm(b, b->running, interval(b));
    return true;
}

void budget_forget_large(struct budget *b, void *at)
{
    uintptr_t class = (uintptr_t)map_take(&b->large, (uintptr_t)at);
    b->large_count[class] -= class > 0;
}
