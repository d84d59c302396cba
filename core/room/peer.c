/* peer: fresh slots first, then those that were freed longest ago. */
#include "room/peer.h"

#include "base/array.h"

#include <stdlib.h>

enum { NO_SLOT = ID_SLOTS_MAX };

void peers_init(struct peers *s)
{
    *s = (struct peers){.first_free = NO_SLOT};
}

void peers_deinit(struct peers *s)
{
    free(s->slots);
    peers_init(s);
}

static uint32_t take_slot(struct peers *s)
{
    uint32_t i = s->first_free;
    if (s->count == s->cap && i != NO_SLOT) {
        s->first_free = s->slots[i].next_free;
        return i;
    }
    if (s->count == ID_SLOTS_MAX)
        return NO_SLOT;
    struct peer_slot *slots = array_reach(s->slots, &s->cap, s->count, sizeof *slots);
    if (!slots)
        return NO_SLOT;
    s->slots = slots;
    slots[s->count].generation = 1;
    return s->count++;
}

int peers_add(struct peers *s, uint32_t shard, struct peer *p)
{
    uint32_t i = take_slot(s);
    if (i == NO_SLOT)
        return -1;
    s->slots[i].peer = p;
    p->id = id_make(shard, i, s->slots[i].generation);
    return 0;
}

void peers_remove(struct peers *s, const struct peer *p)
{
    uint32_t i = id_slot(p->id);
    struct peer_slot *slot = &s->slots[i];
    slot->peer = NULL;
    slot->generation =
        slot->generation + 1 < 1U << ID_GENERATION_BITS ? slot->generation + 1 : 1;
    slot->next_free = NO_SLOT;
    if (s->first_free == NO_SLOT)
        s->first_free = i;
    else
        s->slots[s->last_free].next_free = i;
    s->last_free = i;
}
