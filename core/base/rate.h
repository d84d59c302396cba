/* rate: a token bucket: so many a second, twice as many at once.
 * Does not know: clocks, or what is counted.
 * Thread: the one that owns it.
 * Owner: embedded in its owner; a zeroed struct is a full bucket. */
#ifndef CHARLUA_BASE_RATE_H
#define CHARLUA_BASE_RATE_H

#include <stdint.h>

struct rate {
    float spent;      /* tokens taken and not refilled yet */
    uint32_t last_ms; /* of the last use; may wrap */
};

/* Takes `cost` tokens at `now_ms` (of one steady clock; threads that share the bucket may
 * come with times out of order) from a bucket of 2 * `per_second`. Returns how far the
 * bucket is overdrawn then, 0 while it is not; per_second 0: without a limit. */
static inline float rate_take(struct rate *r, uint64_t now_ms, float per_second,
                              float cost)
{
    if (per_second == 0)
        return 0;
    int32_t passed = (int32_t)((uint32_t)now_ms - r->last_ms);
    float refilled = passed > 0 ? (float)passed * per_second / 1000 : 0;
    r->spent = refilled >= r->spent ? cost : r->spent - refilled + cost;
    r->last_ms = (uint32_t)now_ms;
    float over = r->spent - 2 * per_second;
    return over > 0 ? over : 0;
}

#endif
