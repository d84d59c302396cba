/* timers: what is due when: a heap by time, and a map by id.
 * Does not know: clocks, Lua, what a timer does.
 * Thread: the host's.
 * Owner: the host, which embeds it; a zeroed struct has no timers. */
#ifndef CHARLUA_SCRIPT_TIMERS_H
#define CHARLUA_SCRIPT_TIMERS_H

#include "base/map.h"

#include <stdbool.h>

struct timer {
    double due;    /* seconds, on the clock of whoever asks */
    double period; /* seconds; 0: once */
    uint64_t id;
    void *owner;    /* the caller's */
    size_t at;      /* place in the heap */
    bool cancelled; /* in a handler that has not ended yet */
    bool at_load;   /* made by the loading of rules: it goes with them */
    bool fired;     /* once and for all; it goes when its handler has ended */
};

struct timers {
    struct timer **heap;
    size_t count, cap;
    struct map by_id;
    uint64_t last_id;
};

void timers_deinit(struct timers *t);

/* Adds one; its id is larger than every earlier one's. NULL when memory is out. */
struct timer *timers_add(struct timers *t, double due, double period, void *owner);

struct timer *timers_find(const struct timers *t, uint64_t id);

/* Takes `timer` out and frees it. */
void timers_remove(struct timers *t, struct timer *timer);

/* Sets a new time. */
void timers_move(struct timers *t, struct timer *timer, double due);

/* The earliest one, or NULL. */
struct timer *timers_first(const struct timers *t);

#endif
