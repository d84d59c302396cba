/* stats: what the server counts.
 * Does not know: who reads it.
 * Thread: any; each counter is atomic by itself, together they are no snapshot.
 * Owner: the server; actors borrow it. */
#ifndef CHARLUA_BASE_STATS_H
#define CHARLUA_BASE_STATS_H

#include "base/limit.h"
#include "base/refusal.h"

#include <stdatomic.h>
#include <stdint.h>

struct stats {
    atomic_uint_fast64_t connections; /* open WebSocket connections */
    atomic_uint_fast64_t accepted;    /* sockets, since the start */
    atomic_uint_fast64_t refused;     /* requests answered with 4xx or 5xx */
    atomic_uint_fast64_t messages_in;
    atomic_uint_fast64_t messages_out; /* frames queued, one a receiver */
    atomic_uint_fast64_t dropped;      /* frames not queued: the receiver was too slow */
    atomic_uint_fast64_t slow_closed;  /* receivers closed for being too slow */
    atomic_uint_fast64_t turned_away;  /* connections over a limit of the gate */
    atomic_uint_fast64_t fast_closed;  /* clients closed for sending too fast */
    atomic_uint_fast64_t handler_errors;
    atomic_uint_fast64_t reloads;
    atomic_uint_fast64_t reload_errors;
    struct limit_count limits[LIMIT_KINDS];
    struct refusals refusals;
};

static inline void stats_add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t stats_read(atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
