/* pace: how long a large room is left alone after all of it was written to, so that under
 * load more of its messages share a write. Does not know: rooms, clocks: times are
 * durations. Thread: its shard's. Owner: the writer, which embeds it and measures. */
#ifndef CHARLUA_ROOM_PACE_H
#define CHARLUA_ROOM_PACE_H

#include <stdint.h>

/* A zeroed struct has measured nothing: no room is left alone. */
struct pace {
    double seconds; /* what writing to one peer takes, a moving average */
};

/* Writing to `count` peers took `seconds`. */
void pace_measure(struct pace *p, double seconds, uint32_t count);

/* For how many seconds from now a room of `members`, whose queues have just been filled,
 * is not to be written to again; 0: it may be at once. */
double pace_rest(const struct pace *p, uint32_t members);

#endif
