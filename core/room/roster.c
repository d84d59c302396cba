/* roster: memberships in one array, linked by their numbers, half as long as pointers.
 * One that left keeps its links until the commit, so that undoing the log from its end
 * puts it back between the same neighbours (Knuth's dancing links). */
#include "room/roster.h"

#include "base/array.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct roster_change {
    uint32_t membership;
    bool joined;
    bool was_first[ROSTER_SIDES]; /* in its lists, before it left */
};

void roster_deinit(struct roster *r)
{
    free(r->all);
    free(r->log);
    *r = (struct roster){0};
}

uint32_t roster_next(const struct roster *r, enum roster_side side, uint32_t m)
{
    uint32_t next = r->all[m].link[side].next;
    return next == r->all[m].list[side]->first ? 0 : next;
}

uint32_t roster_find(const struct roster *r, const struct roster_list *client,
                     const struct roster_list *room)
{
    uint32_t m = client->first;
    while (m && r->all[m].list[ROSTER_ROOM] != room)
        m = roster_next(r, ROSTER_CLIENT, m);
    return m;
}

/* --- numbers ------------------------------------------------------------- */

static uint32_t take_number(struct roster *r)
{
    uint32_t m = r->first_free;
    if (m) {
        r->first_free = r->all[m].link[0].next;
    } else {
        m = r->used + 1;
        struct membership *all = array_reach(r->all, &r->cap, m, sizeof *all);
        if (!all)
            return 0;
        r->all = all;
        r->used = m;
    }
    r->count++;
    return m;
}

static void free_number(struct roster *r, uint32_t m)
{
    assert(r->all);
    r->all[m].link[0].next = r->first_free;
    r->first_free = m;
    if (--r->count)
        return;
    free(r->all); /* the memory of a crowd that has left */
    r->all = NULL;
    r->cap = r->used = r->first_free = 0;
}

/* --- lists --------------------------------------------------------------- */

/* Puts `m` between the neighbours that it has. */
static void attach(struct roster *r, enum roster_side side, uint32_t m, bool is_first)
{
    assert(r->all);
    struct membership *it = &r->all[m];
    r->all[it->link[side].prev].link[side].next = m;
    r->all[it->link[side].next].link[side].prev = m;
    it->list[side]->count++;
    if (is_first)
        it->list[side]->first = m;
}

static void append(struct roster *r, enum roster_side side, uint32_t m,
                   struct roster_list *list)
{
    struct membership *it = &r->all[m];
    bool is_first = list->count == 0;
    it->list[side] = list;
    it->link[side].next = is_first ? m : list->first;
    it->link[side].prev = is_first ? m : r->all[list->first].link[side].prev;
    attach(r, side, m, is_first);
}

/* Returns whether it was the first. */
static bool detach(struct roster *r, enum roster_side side, uint32_t m)
{
    assert(r->all);
    struct membership *it = &r->all[m];
    struct roster_list *list = it->list[side];
    bool was_first = list->first == m;
    r->all[it->link[side].prev].link[side].next = it->link[side].next;
    r->all[it->link[side].next].link[side].prev = it->link[side].prev;
    list->count--;
    if (was_first)
        list->first = list->count ? it->link[side].next : 0;
    return was_first;
}

void roster_drop(struct roster *r, uint32_t m)
{
    detach(r, ROSTER_CLIENT, m);
    detach(r, ROSTER_ROOM, m);
    free_number(r, m);
}

/* --- changes ------------------------------------------------------------- */

static int reserve_log(struct roster *r)
{
    struct roster_change *log =
        array_reach(r->log, &r->log_cap, r->log_count, sizeof *log);
    if (!log)
        return -1;
    r->log = log;
    return 0;
}

enum roster_result roster_join(struct roster *r, struct roster_list *client,
                               struct roster_list *room)
{
    if (roster_find(r, client, room))
        return ROSTER_ALREADY;
    uint32_t m = reserve_log(r) < 0 ? 0 : take_number(r);
    if (!m)
        return ROSTER_NO_MEMORY;
    append(r, ROSTER_CLIENT, m, client);
    append(r, ROSTER_ROOM, m, room);
    r->log[r->log_count++] = (struct roster_change){.membership = m, .joined = true};
    return ROSTER_OK;
}

enum roster_result roster_leave(struct roster *r, struct roster_list *client,
                                struct roster_list *room)
{
    uint32_t m = roster_find(r, client, room);
    if (!m)
        return ROSTER_ALREADY;
    if (reserve_log(r) < 0)
        return ROSTER_NO_MEMORY;
    struct roster_change *change = &r->log[r->log_count++];
    *change = (struct roster_change){.membership = m};
    change->was_first[ROSTER_CLIENT] = detach(r, ROSTER_CLIENT, m);
    change->was_first[ROSTER_ROOM] = detach(r, ROSTER_ROOM, m);
    return ROSTER_OK;
}

void roster_commit(struct roster *r)
{
    for (uint32_t i = 0; i < r->log_count; i++)
        if (!r->log[i].joined)
            free_number(r, r->log[i].membership);
    r->log_count = 0;
}

void roster_rollback(struct roster *r)
{
    while (r->log_count) {
        struct roster_change change = r->log[--r->log_count];
        if (change.joined) {
            roster_drop(r, change.membership);
        } else {
            attach(r, ROSTER_CLIENT, change.membership, change.was_first[ROSTER_CLIENT]);
            attach(r, ROSTER_ROOM, change.membership, change.was_first[ROSTER_ROOM]);
        }
    }
}
