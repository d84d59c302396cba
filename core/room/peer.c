/* peer: the free slots are a queue. */
#include "room/peer.h"

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

static int grow(struct peers *s)
{
    uint32_t count = s->count ? s->count * 2 : 64;
    if (count > ID_SLOTS_MAX)
        return -1;
    struct peer_slot *slots = realloc(s->slots, count * sizeof *slots);
    if (!slots)
        return -1;
    for (uint32_t i = s->count; i < count; i++)
        slots[i] = (struct peer_slot){.generation = 1,
                                      .next_free = i + 1 < count ? i + 1 : NO_SLOT};
    s->first_free = s->count;
    s->last_free = count - 1;
    s->slots = slots;
    s->count = count;
    return 0;
}

int peers_add(struct peers *s, uint32_t shard, struct peer *p)
{
    if (s->first_free == NO_SLOT && grow(s) < 0)
        return -1;
    uint32_t i = s->first_free;
    s->first_free = s->slots[i].next_free;
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
