/* topic: which of a shard's connections (slots) are in which room.
 * Does not know: connections, frames, names of rooms, other shards.
 * Thread: its shard's.
 * Owner: the shard; a zeroed struct is an empty index. */
#ifndef CHARLUA_ROOM_TOPIC_H
#define CHARLUA_ROOM_TOPIC_H

#include "base/map.h"

#include <stdbool.h>

struct topic;

struct topics {
    struct map by_room;       /* room id to struct topic */
    struct topic_slot *slots; /* by slot */
    uint32_t slot_count;
};

void topics_deinit(struct topics *t);

/* Puts `slot` into `room`; nothing changes if it is there. Returns 0, or -1 when memory
 * is out. */
int topic_add(struct topics *t, uint64_t room, uint32_t slot);

/* Takes `slot` out of `room`, or out of every room. */
void topic_remove(struct topics *t, uint64_t room, uint32_t slot);
void topic_remove_all(struct topics *t, uint32_t slot);

/* The `i`th member of `room` in no particular order; false when there is none. Members do
 * not move while nobody is added or removed. */
bool topic_member(const struct topics *t, uint64_t room, uint32_t i, uint32_t *slot);

#endif
