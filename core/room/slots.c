/* slots: fresh slots first, then those that were taken back longest ago. */
#include "room/slots.h"

#include "base/array.h"

#include <stdlib.h>

enum { NO_SLOT = ID_SLOTS_MAX };

void slots_init(struct slots *s)
{
    *s = (struct slots){.first_free = NO_SLOT};
}

void slots_deinit(struct slots *s)
{
    free(s->slots);
    slots_init(s);
}

static uint32_t find_free(struct slots *s)
{
    uint32_t i = s->first_free;
    if (s->count == s->cap && i != NO_SLOT) {
        s->first_free = s->slots[i].next_free;
        return i;
    }
    if (s->count == ID_SLOTS_MAX)
        return NO_SLOT;
    struct slot *slots = array_reach(s->slots, &s->cap, s->count, sizeof *slots);
    if (!slots)
        return NO_SLOT;
    s->slots = slots;
    slots[s->count].generation = 1;
    return s->count++;
}

uint64_t slots_give(struct slots *s, uint32_t shard, void *owner)
{
    uint32_t i = find_free(s);
    if (i == NO_SLOT)
        return 0;
    s->slots[i].owner = owner;
    return id_make(shard, i, s->slots[i].generation);
}

void slots_take_back(struct slots *s, uint64_t id)
{
    uint32_t i = id_slot(id);
    struct slot *slot = &s->slots[i];
    slot->owner = NULL;
    slot->generation =
        slot->generation + 1 < 1U << ID_GENERATION_BITS ? slot->generation + 1 : 1;
    slot->next_free = NO_SLOT;
    if (s->first_free == NO_SLOT)
        s->first_free = i;
    else
        s->slots[s->last_free].next_free = i;
    s->last_free = i;
}
