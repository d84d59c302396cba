/* topic: a room's array of members and a slot's array of rooms, each entry saying where
 * its other half is, so that both ends are removed without a search. */
#include "room/topic.h"

#include <stdlib.h>

struct topic_member {
    uint32_t slot;
    uint32_t back; /* index into the slot's rooms */
};

struct joined {
    struct topic *topic;
    uint32_t at; /* index into the topic's members */
};

struct topic_slot {
    uint32_t count, cap;
    struct joined *rooms;
};

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
    for (uint32_t i = 0; i < t->slot_count; i++)
        free(t->slots[i].rooms);
    free(t->slots);
    topics_init(t);
}

static int reserve_slot(struct topics *t, uint32_t slot)
{
    if (slot >= t->slot_count) {
        uint32_t count = t->slot_count ? t->slot_count : 64;
        while (count <= slot)
            count *= 2;
        struct topic_slot *slots = realloc(t->slots, count * sizeof *slots);
        if (!slots)
            return -1;
        for (uint32_t i = t->slot_count; i < count; i++)
            slots[i] = (struct topic_slot){0};
        t->slots = slots;
        t->slot_count = count;
    }
    struct topic_slot *s = &t->slots[slot];
    if (s->count < s->cap)
        return 0;
    uint32_t cap = s->cap ? s->cap * 2 : 1;
    struct joined *rooms = realloc(s->rooms, cap * sizeof *rooms);
    if (!rooms)
        return -1;
    s->rooms = rooms;
    s->cap = cap;
    return 0;
}

static int reserve_member(struct topic *topic)
{
    if (topic->count < topic->cap)
        return 0;
    uint32_t cap = topic->cap ? topic->cap * 2 : 4;
    struct topic_member *members = realloc(topic->members, cap * sizeof *members);
    if (!members)
        return -1;
    topic->members = members;
    topic->cap = cap;
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
    if (map_put(&t->by_room, room, topic) == 0)
        return topic;
    free(topic);
    return NULL;
}

static void drop_if_empty(struct topics *t, struct topic *topic)
{
    if (topic->count == 0) {
        map_take(&t->by_room, topic->room);
        topic_free(t, topic);
    }
}

/* Where `room` stands among the slot's rooms, or -1. A client is in few rooms. */
static int64_t find(const struct topics *t, uint64_t room, uint32_t slot)
{
    if (slot < t->slot_count)
        for (uint32_t i = 0; i < t->slots[slot].count; i++)
            if (t->slots[slot].rooms[i].topic->room == room)
                return i;
    return -1;
}

int topic_add(struct topics *t, uint64_t room, uint32_t slot)
{
    if (find(t, room, slot) >= 0)
        return 0;
    if (reserve_slot(t, slot) < 0)
        return -1;
    struct topic *topic = topic_of(t, room);
    if (!topic)
        return -1;
    if (reserve_member(topic) < 0) {
        drop_if_empty(t, topic);
        return -1;
    }
    struct topic_slot *s = &t->slots[slot];
    topic->members[topic->count] = (struct topic_member){slot, s->count};
    s->rooms[s->count++] = (struct joined){topic, topic->count++};
    topic->shared += s->count > 1;
    if (s->count == 2)
        s->rooms[0].topic->shared++;
    return 0;
}

static void remove_at(struct topics *t, uint32_t slot, uint32_t i)
{
    struct topic_slot *s = &t->slots[slot];
    struct joined gone = s->rooms[i];
    gone.topic->shared -= s->count > 1;
    if (s->count == 2)
        s->rooms[1 - i].topic->shared--;
    struct topic_member last = gone.topic->members[--gone.topic->count];
    gone.topic->members[gone.at] = last;
    t->slots[last.slot].rooms[last.back].at = gone.at;
    struct joined moved = s->rooms[--s->count];
    s->rooms[i] = moved;
    if (i < s->count)
        moved.topic->members[moved.at].back = i;
    drop_if_empty(t, gone.topic);
    if (s->count == 0) {
        free(s->rooms);
        *s = (struct topic_slot){0};
    }
}

void topic_remove(struct topics *t, uint64_t room, uint32_t slot)
{
    int64_t i = find(t, room, slot);
    if (i >= 0)
        remove_at(t, slot, (uint32_t)i);
}

void topic_remove_all(struct topics *t, uint32_t slot)
{
    while (slot < t->slot_count && t->slots[slot].count)
        remove_at(t, slot, t->slots[slot].count - 1);
}

struct topic *topic_find(const struct topics *t, uint64_t room)
{
    return map_get(&t->by_room, room);
}

uint32_t topic_member(const struct topic *topic, uint32_t i)
{
    return topic->members[i].slot;
}

struct topic *topic_of_slot(const struct topics *t, uint32_t slot, uint32_t i)
{
    return slot < t->slot_count && i < t->slots[slot].count
               ? t->slots[slot].rooms[i].topic
               : NULL;
}
