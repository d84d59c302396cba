/* slots: who gets which slot and id, and when a slot is given away again: its new owner
 * has another id, so that mail for the old one finds nobody. Does not know: who owns a
 * slot (a shard's peers do, and those of rules that are played), other shards. Thread:
 * one. Owner: whoever embeds it. */
#ifndef CHARLUA_ROOM_SLOTS_H
#define CHARLUA_ROOM_SLOTS_H

#include "base/id.h"

#include <stddef.h>

struct slot {
    void *owner; /* NULL: it is free */
    uint32_t generation;
    uint32_t next_free;
};

struct slots {
    struct slot *slots;
    uint32_t cap, count;            /* `count` of them have been in use */
    uint32_t first_free, last_free; /* a queue of those that are not any more */
};

void slots_init(struct slots *s);
void slots_deinit(struct slots *s);

/* Gives `owner` the slot that was taken back longest ago, so that ids return late.
 * Returns its id, with `shard` in it, or 0 when memory is out or ID_SLOTS_MAX are taken.
 */
uint64_t slots_give(struct slots *s, uint32_t shard, void *owner);

/* Takes the slot of `id` back, which its owner has: from now on it may be given away. */
void slots_take_back(struct slots *s, uint64_t id);

/* The owner of `slot`, which is below s->count, or NULL. */
static inline void *slots_at(const struct slots *s, uint32_t slot)
{
    return s->slots[slot].owner;
}

/* The owner of `id`, or NULL: it has gone. */
static inline void *slots_find(const struct slots *s, uint64_t id)
{
    uint32_t slot = id_slot(id);
    return slot < s->count && s->slots[slot].generation == id_generation(id)
               ? slots_at(s, slot)
               : NULL;
}

#endif
