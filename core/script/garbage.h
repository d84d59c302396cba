/* garbage: collects what handlers have left behind once the host is quiet.
 * Does not know: handlers, clients; the clock, which it is given; it only looks how long
 * its own steps take.
 * Thread: the host's.
 * Owner: the host, which embeds it; a zeroed struct has nothing to do. */
#ifndef CHARLUA_SCRIPT_GARBAGE_H
#define CHARLUA_SCRIPT_GARBAGE_H

#include "base/mailbox.h"
#include "lua/vm.h"

struct garbage {
    double quiet_at;   /* steady clock: the host has been quiet for long enough then */
    double rest_until; /* nothing is done before */
    double spent;      /* seconds, on the collection that is under way */
    size_t clean;      /* bytes that Lua used after the last collection */
    size_t clients;    /* that there were then, or later, if there were more */
    int cycles;        /* of Lua's collector that have ended in this collection */
    bool is_worth_it;  /* enough has changed since the last one */
};

/* Handlers have run at `now`; there are so many clients. */
void garbage_note(struct garbage *g, const struct vm *vm, size_t clients, double now);

/* Nothing is left to do at `now`: collects a little, until mail comes. */
void garbage_collect(struct garbage *g, struct vm *vm, size_t clients,
                     const struct mailbox *inbox, double now);

/* When garbage_collect should be called; 0: not at all. */
double garbage_next(const struct garbage *g);

#endif
