/* roster: linked memberships. One that left keeps its links until the commit, so that
 * undoing the log from its end puts it back between the same neighbours (Knuth's dancing
 * links). */
#include "room/roster.h"

#include <stdlib.h>

struct roster_change {
    struct membership *membership;
    bool joined;
};

void roster_client_init(struct roster_client *c)
{
    list_init(&c->rooms);
    c->count = 0;
}

void roster_room_init(struct roster_room *r)
{
    list_init(&r->members);
    r->size = 0;
}

void roster_deinit(struct roster *r)
{
    roster_commit(r);
    free(r->log);
    *r = (struct roster){0};
}

struct membership *roster_find(const struct roster_client *client,
                               const struct roster_room *room)
{
    for (struct list *l = client->rooms.next; l != &client->rooms; l = l->next) {
        struct membership *m = LIST_ENTRY(l, struct membership, in_client);
        if (m->room == room)
            return m;
    }
    return NULL;
}

static void unlink_both(struct membership *m)
{
    m->in_room.prev->next = m->in_room.next;
    m->in_room.next->prev = m->in_room.prev;
    m->in_client.prev->next = m->in_client.next;
    m->in_client.next->prev = m->in_client.prev;
    m->room->size--;
    m->client->count--;
}

static void relink_both(struct membership *m)
{
    m->in_room.prev->next = m->in_room.next->prev = &m->in_room;
    m->in_client.prev->next = m->in_client.next->prev = &m->in_client;
    m->room->size++;
    m->client->count++;
}

static int reserve_log(struct roster *r)
{
    if (r->log_count < r->log_cap)
        return 0;
    uint32_t cap = r->log_cap ? r->log_cap * 2 : 16;
    struct roster_change *log = realloc(r->log, cap * sizeof *log);
    if (!log)
        return -1;
    r->log = log;
    r->log_cap = cap;
    return 0;
}

enum roster_result roster_join(struct roster *r, struct roster_client *client,
                               struct roster_room *room)
{
    if (roster_find(client, room))
        return ROSTER_ALREADY;
    struct membership *m = reserve_log(r) < 0 ? NULL : malloc(sizeof *m);
    if (!m)
        return ROSTER_NO_MEMORY;
    m->client = client;
    m->room = room;
    list_add_tail(&room->members, &m->in_room);
    list_add_tail(&client->rooms, &m->in_client);
    room->size++;
    client->count++;
    r->log[r->log_count++] = (struct roster_change){m, true};
    return ROSTER_OK;
}

enum roster_result roster_leave(struct roster *r, struct roster_client *client,
                                struct roster_room *room)
{
    struct membership *m = roster_find(client, room);
    if (!m)
        return ROSTER_ALREADY;
    if (reserve_log(r) < 0)
        return ROSTER_NO_MEMORY;
    unlink_both(m);
    r->log[r->log_count++] = (struct roster_change){m, false};
    return ROSTER_OK;
}

void roster_drop(struct membership *m)
{
    unlink_both(m);
    free(m);
}

void roster_commit(struct roster *r)
{
    for (uint32_t i = 0; i < r->log_count; i++)
        if (!r->log[i].joined)
            free(r->log[i].membership);
    r->log_count = 0;
}

void roster_rollback(struct roster *r)
{
    while (r->log_count) {
        struct roster_change change = r->log[--r->log_count];
        if (change.joined) {
            unlink_both(change.membership);
            free(change.membership);
        } else {
            relink_both(change.membership);
        }
    }
}
