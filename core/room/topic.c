/* topic: a room's array of members and a slot's array of rooms. A slot's entry says where
 * its room's is, so that a member leaves a crowd without a search; the other way round a
 * search is short, since a client is in few rooms. */
#include "room/topic.h"

#include "base/array.h"

#include <stdlib.h>

enum { FIRST_MEMBERS = 6, FIRST_ROOMS = 3 }; /* what malloc's smallest piece holds */

struct joined {
    uint32_t topic; /* its number */
    uint32_t at;    /* index into the topic's members */
};

struct topic_slot {
    uint32_t count, cap;
    union {
        struct joined one; /* cap 0: the only one */
        struct joined *more;
    };
};

union topic_entry {
    struct topic *topic;
    uint32_t next_free;
};

static struct joined *rooms_of(struct topic_slot *s)
{
    return s->cap ? s->more : &s->one;
}

static void topic_free(struct topics *t, struct topic *topic)
{
    bundle_deinit(&topic->bundle, &t->bundles);
    free(topic->members);
    free(topic);
}

void topics_init(struct topics *t)
{
    *t = (struct topics){0};
    bundles_init(&t->bundles);
}

void topics_deinit(struct topics *t)
{
    size_t at = 0;
    for (struct topic *topic; (topic = map_next(&t->by_room, &at));)
        topic_free(t, topic);
    map_deinit(&t->by_room);
    for (uint32_t i = 0; i < t->slot_cap; i++)
        if (t->slots[i].cap)
            free(t->slots[i].more);
    free(t->slots);
    free(t->all);
    topics_init(t);
}

static int reserve_slot(struct topics *t, uint32_t slot)
{
    struct topic_slot *slots = array_reach(t->slots, &t->slot_cap, slot, sizeof *slots);
    if (!slots)
        return -1;
    t->slots = slots;
    struct topic_slot *s = &t->slots[slot];
    if (s->count < (s->cap ? s->cap : 1))
        return 0;
    uint32_t cap = s->cap ? s->cap * 2 : FIRST_ROOMS;
    struct joined *more = realloc(s->cap ? s->more : NULL, cap * sizeof *more);
    if (!more)
        return -1;
    if (s->cap == 0)
        more[0] = s->one;
    s->more = more;
    s->cap = cap;
    return 0;
}

static int reserve_member(struct topic *topic)
{
    if (topic->count < topic->cap)
        return 0;
    uint32_t cap = topic->cap ? topic->cap * 2 : FIRST_MEMBERS;
    uint32_t *members = realloc(topic->members, cap * sizeof *members);
    if (!members)
        return -1;
    topic->members = members;
    topic->cap = cap;
    return 0;
}

/* Puts `topic` into the tables. */
static int enter(struct topics *t, struct topic *topic)
{
    uint32_t number = t->first_free ? t->first_free : t->used + 1;
    union topic_entry *all = array_reach(t->all, &t->cap, number, sizeof *all);
    if (!all)
        return -1;
    t->all = all;
    if (map_put(&t->by_room, topic->room, topic) < 0)
        return -1;
    if (number == t->first_free)
        t->first_free = all[number].next_free;
    else
        t->used = number;
    all[number].topic = topic;
    topic->number = number;
    return 0;
}

static struct topic *topic_of(struct topics *t, uint64_t room)
{
    struct topic *topic = map_get(&t->by_room, room);
    if (topic)
        return topic;
    topic = calloc(1, sizeof *topic);
    if (!topic)
        return NULL;
    topic->room = room;
    bundle_init(&topic->bundle);
    if (enter(t, topic) == 0)
        return topic;
    free(topic);
    return NULL;
}

static void drop_if_empty(struct topics *t, struct topic *topic)
{
    if (topic->count)
        return;
    map_take(&t->by_room, topic->room);
    t->all[topic->number].next_free = t->first_free;
    t->first_free = topic->number;
    topic_free(t, topic);
}

/* Where topic `number` stands among the slot's rooms; it is one of them. */
static uint32_t index_of(struct topic_slot *s, uint32_t number)
{
    uint32_t i = 0;
    while (rooms_of(s)[i].topic != number)
        i++;
    return i;
}

static bool is_member(const struct topics *t, const struct topic *topic, uint32_t slot)
{
    const struct topic *its;
    for (uint32_t i = 0; (its = topic_of_slot(t, slot, i)); i++)
        if (its == topic)
            return true;
    return false;
}

int topic_add(struct topics *t, uint64_t room, uint32_t slot)
{
    struct topic *topic = topic_of(t, room);
    if (!topic)
        return -1;
    if (is_member(t, topic, slot))
        return 0;
    if (reserve_slot(t, slot) < 0 || reserve_member(topic) < 0) {
        drop_if_empty(t, topic);
        return -1;
    }
    struct topic_slot *s = &t->slots[slot];
    rooms_of(s)[s->count++] = (struct joined){topic->number, topic->count};
    topic->members[topic->count++] = slot;
    topic->shared += s->count > 1;
    if (s->count == 2)
        t->all[rooms_of(s)[0].topic].topic->shared++;
    return 0;
}

static void remove_at(struct topics *t, uint32_t slot, uint32_t i)
{
    struct topic_slot *s = &t->slots[slot];
    struct joined gone = rooms_of(s)[i];
    struct topic *topic = t->all[gone.topic].topic;
    topic->shared -= s->count > 1;
    if (s->count == 2)
        t->all[rooms_of(s)[1 - i].topic].topic->shared--;
    uint32_t last = topic->members[--topic->count];
    struct topic_slot *moved = &t->slots[last];
    rooms_of(moved)[index_of(moved, gone.topic)].at = gone.at;
    topic->members[gone.at] = last;
    rooms_of(s)[i] = rooms_of(s)[--s->count];
    drop_if_empty(t, topic);
    if (s->count == 0 && s->cap) {
        free(s->more);
        *s = (struct topic_slot){0};
    }
}

void topic_remove(struct topics *t, uint64_t room, uint32_t slot)
{
    struct topic *topic = topic_find(t, room);
    if (topic && is_member(t, topic, slot))
        remove_at(t, slot, index_of(&t->slots[slot], topic->number));
}

void topic_remove_all(struct topics *t, uint32_t slot)
{
    while (slot < t->slot_cap && t->slots[slot].count)
        remove_at(t, slot, t->slots[slot].count - 1);
}

struct topic *topic_find(const struct topics *t, uint64_t room)
{
    return map_get(&t->by_room, room);
}

struct topic *topic_of_slot(const struct topics *t, uint32_t slot, uint32_t i)
{
    if (slot >= t->slot_cap || i >= t->slots[slot].count)
        return NULL;
    return t->all[rooms_of(&t->slots[slot])[i].topic].topic;
}
