/* deadlines: who is late: what has come is read before any deadline is judged. Does not
 * know: timers, clocks (times are given, in seconds of a steady clock). Thread: its
 * shard's. Owner: the shard, which embeds it and lends it its parts. */
#ifndef CHARLUA_ROOM_DEADLINES_H
#define CHARLUA_ROOM_DEADLINES_H

#include "room/uplink.h"
#include "room/waits.h"
#include "room/writer.h"

struct deadlines {
    struct waits waits;
    struct uplink *uplink; /* says whether sockets may be read */
    struct writer *writer; /* brings in line who was late, and who was not */
    uint8_t *scratch;      /* to read with */
    size_t scratch_size;
};

/* The first deadline that may be judged now; 0: none. */
double deadlines_first(const struct deadlines *d);

/* Judges those that are over at `now`. */
void deadlines_judge(struct deadlines *d, double now);

#endif
