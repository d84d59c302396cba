/* garbage: Lua lets its memory double before it collects, and collects while it
 * allocates: who logs in leaves 400 bytes of strings and tables behind, and an idle host
 * allocates nothing. So 10,000 clients who are only there held twice what they need.
 *
 * When the host has been quiet for a while, two whole cycles are run (the first may have
 * begun before some of the garbage was made), in steps that end as soon as mail comes and
 * after 2 ms at the latest. Example: 10,000 clients cost some 15 ms in eight turns. It
 * has to be worth it: a sixteenth more memory than after the last time, or a quarter of
 * the clients gone. And a collection is followed by 20 times its own duration of rest, so
 * that it takes 5 % of a processor at the most when a timer of the rules makes garbage
 * each second. One full collection at once was simpler and stopped 100,000 clients for
 * 0.2 s; a lower pause of Lua's own collector costs each handler.
 *
 * Last, the C library gives its pages back. That is one call, of some 20 ms when 25,000
 * of 50,000 clients have gone: it does not begin while mail waits, but mail may have to
 * wait for it, and its time counts for the rest that follows. */
#include "script/garbage.h"

#include "base/clock.h"

#include <malloc.h>

enum { CYCLES = 2, WORTH_BYTES = 64 * 1024, WORTH_PART = 16, CROWD = 100 };

static const double QUIET_SECONDS = 0.25, SLICE_SECONDS = 0.002, REST_FACTOR = 20;

void garbage_note(struct garbage *g, const struct vm *vm, size_t clients, double now)
{
    size_t more = g->clean / WORTH_PART;
    if (clients > g->clients)
        g->clients = clients;
    g->quiet_at = now + QUIET_SECONDS;
    g->is_worth_it |=
        vm->budget.memory > g->clean + (more > WORTH_BYTES ? more : WORTH_BYTES) ||
        (g->clients >= CROWD && clients < g->clients - g->clients / 4);
}

/* The C library would keep the pages. */
static void end(struct garbage *g, const struct vm *vm, size_t clients, double now)
{
    double began = clock_now();
    malloc_trim(0);
    g->spent += clock_now() - began;
    g->rest_until = now + g->spent * REST_FACTOR;
    g->clean = vm->budget.memory;
    g->clients = clients;
    g->spent = 0;
    g->cycles = 0;
    g->is_worth_it = false;
}

void garbage_collect(struct garbage *g, struct vm *vm, size_t clients,
                     const struct mailbox *inbox, double now)
{
    double next = garbage_next(g), began = clock_now(), slice = 0;
    if (next == 0 || now < next)
        return;
    while (g->cycles < CYCLES && slice < SLICE_SECONDS && mailbox_is_empty(inbox)) {
        g->cycles += lua_gc(vm->L, LUA_GCSTEP, 0);
        slice = clock_now() - began;
    }
    g->spent += slice;
    g->rest_until = now + SLICE_SECONDS;
    if (g->cycles == CYCLES && mailbox_is_empty(inbox))
        end(g, vm, clients, now);
}

double garbage_next(const struct garbage *g)
{
    if (!g->is_worth_it)
        return 0;
    return g->quiet_at > g->rest_until ? g->quiet_at : g->rest_until;
}
