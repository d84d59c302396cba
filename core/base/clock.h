/* clock: the steady clock of a loop, in seconds.
 * Does not know: what day it is.
 * Thread: any.
 * Owner: nobody. */
#ifndef CHARLUA_BASE_CLOCK_H
#define CHARLUA_BASE_CLOCK_H

#include <time.h>

static inline double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif
