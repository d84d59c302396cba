/* clock: the steady clock, which every duration, deadline and timer is measured on: it
 * never steps, and stands still while the machine sleeps. The wall clock is for what
 * people are shown, and for nothing else.
 * Does not know: time zones.
 * Thread: any.
 * Owner: nobody. */
#ifndef CHARLUA_BASE_CLOCK_H
#define CHARLUA_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_ms(void)
{
    return clock_ns() / 1000000;
}

/* In seconds. */
static inline double clock_now(void)
{
    return (double)clock_ns() * 1e-9;
}

/* The wall clock, which may step: seconds since 1970. */
static inline double clock_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif
