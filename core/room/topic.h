/* topic: which of a shard's connections (slots) are in which room, and what the room is
 * still to be told. Does not know: connections, names of rooms, other shards.
 * Thread: its shard's.
 * Owner: the shard, which embeds it. */
#ifndef CHARLUA_ROOM_TOPIC_H
#define CHARLUA_ROOM_TOPIC_H

#include "base/map.h"
#include "room/bundle.h"

#include <stdbool.h>

struct topic {
    uint64_t room;
    uint32_t number;
    uint32_t count, cap;  /* of members, in no particular order */
    uint32_t shared;      /* members that are in other rooms, too */
    uint32_t *members;    /* slots; they stay while nobody is added or removed */
    struct bundle bundle; /* goes with the last member */
};

struct topics {
    struct map by_room;       /* room id to struct topic */
    union topic_entry *all;   /* by number, half as long as a pointer */
    uint32_t cap, used;       /* the numbers 1 to `used` have been in use */
    uint32_t first_free;      /* a list of those that are not any more */
    struct topic_slot *slots; /* by slot */
    uint32_t slot_cap;
    struct bundles bundles; /* what rooms are still to be told */
};

void topics_init(struct topics *t);

void topics_deinit(struct topics *t);

/* Puts `slot` into `room`; nothing changes if it is there. Returns 0, or -1 when memory
 * is out. */
int topic_add(struct topics *t, uint64_t room, uint32_t slot);

/* Takes `slot` out of `room`, or out of every room. */
void topic_remove(struct topics *t, uint64_t room, uint32_t slot);
void topic_remove_all(struct topics *t, uint32_t slot);

/* The topic of `room`, or NULL: nobody is in it. */
struct topic *topic_find(const struct topics *t, uint64_t room);

/* The slot of its `i`th member; i is below its count. */
static inline uint32_t topic_member(const struct topic *topic, uint32_t i)
{
    return topic->members[i];
}

/* The `i`th room of `slot`, or NULL: it is in fewer. */
struct topic *topic_of_slot(const struct topics *t, uint32_t slot, uint32_t i);

#endif
