/* slots: a connection as the loop's parts see it, and the slots in which a shard finds
 * them by id. Does not know: sockets, rooms, other shards. Thread: its shard's. Owner:
 * the shard, which embeds the slots and makes the peers. */
#ifndef CHARLUA_ROOM_SLOTS_H
#define CHARLUA_ROOM_SLOTS_H

#include "base/id.h"
#include "base/list.h"
#include "net/conn.h"

struct peer {
    struct conn conn;
    struct list dirty; /* in the writer's list */
    uint64_t id;
    bool opened;   /* MAIL_OPEN was posted */
    bool told;     /* MAIL_CLOSED was posted */
    bool admitted; /* the rules have let it in */
    bool asked;    /* MAIL_REQUEST was posted, and neither side has ended it */
};

struct slot {
    struct peer *peer;
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

/* Gives `p` a slot and an id of `shard`: the slot that was freed longest ago, so that ids
 * return late. Returns 0, or -1 when memory is out or ID_SLOTS_MAX are taken. */
int slots_add(struct slots *s, uint32_t shard, struct peer *p);
void slots_remove(struct slots *s, const struct peer *p);

/* The peer of `slot`, which is below s->count, or NULL. */
static inline struct peer *slots_at(const struct slots *s, uint32_t slot)
{
    return s->slots[slot].peer;
}

/* The peer of `id`, or NULL: it has gone. */
static inline struct peer *slots_find(const struct slots *s, uint64_t id)
{
    uint32_t slot = id_slot(id);
    struct peer *p = slot < s->count ? slots_at(s, slot) : NULL;
    return p && p->id == id ? p : NULL;
}

#endif
