/* world: a handler's effects are mail in the shards' outgoing batches; a rollback cuts
 * the batches back.
 * Longer than other files by a few lines: one function for each effect. */
#include "script/world.h"

#include "base/array.h"
#include "base/id.h"
#include "wire/outframe.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

int world_init(struct world *w, struct mailbox *shards, uint32_t count,
               const struct world_limits *limits)
{
    *w = (struct world){.shards = shards, .shard_count = count, .limits = *limits};
    list_init(&w->check);
    if (getrandom(&w->seed, sizeof w->seed, GRND_NONBLOCK) < 0)
        w->seed = (uint64_t)(uintptr_t)w;
    w->out = calloc(count + 1, sizeof *w->out);
    w->committed = calloc(count + 1, sizeof *w->committed);
    if (!w->out || !w->committed) {
        world_deinit(w);
        return -1;
    }
    return 0;
}

/* Gives up the mail in `b` from byte `from` on, and its frames. */
static void cut(struct batch *b, size_t from)
{
    size_t at = from;
    for (struct mail *m; (m = batch_next(b, &at));) {
        if (m->kind != MAIL_SEND && m->kind != MAIL_BROADCAST)
            continue;
        b->weight -= outframe_bytes(m->frame).len;
        outframe_unref(m->frame);
    }
    b->buf.len = from;
}

static void free_client(struct client *c)
{
    if (c->extras) {
        list_remove(&c->extras->ready);
        buf_deinit(&c->extras->pending.buf);
        free(c->extras->protocol);
    }
    free(c->extras);
    free(c);
}

void world_deinit(struct world *w)
{
    uint32_t number = 0;
    for (struct client *c; (c = world_next_client(w, &number));)
        free_client(c);
    size_t at = 0;
    for (struct client *c; (c = map_next(&w->closing, &at));)
        free_client(c);
    at = 0;
    for (struct room *r; (r = map_next(&w->rooms, &at));)
        free(r);
    for (uint32_t i = 0; w->out && i < w->shard_count; i++) {
        cut(&w->out[i], 0);
        buf_deinit(&w->out[i].buf);
    }
    roster_deinit(&w->roster);
    free(w->clients);
    map_deinit(&w->closing);
    map_deinit(&w->rooms);
    map_deinit(&w->rooms_by_hash);
    free(w->out);
    free(w->committed);
    *w = (struct world){0};
}

struct client *world_member(const struct world *w, uint32_t membership)
{
    return LIST_ENTRY(roster_list(&w->roster, ROSTER_CLIENT, membership), struct client,
                      roster);
}

struct room *world_room_of(const struct world *w, uint32_t membership)
{
    return LIST_ENTRY(roster_list(&w->roster, ROSTER_ROOM, membership), struct room,
                      roster);
}

static void look_again(struct world *w, struct room *room)
{
    if (list_is_empty(&room->check))
        list_add_tail(&w->check, &room->check);
}

/* --- clients ------------------------------------------------------------- */

/* Where a client is that has its slot; a small number. */
static uint32_t number_of(const struct world *w, uint64_t id)
{
    return id_slot(id) * w->shard_count + id_shard(id);
}

struct client *world_add_client(struct world *w, uint64_t id)
{
    struct client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    uint32_t number = number_of(w, id);
    struct client **clients =
        array_reach(w->clients, &w->client_cap, number, sizeof(struct client *));
    if (!clients) {
        free(c);
        return NULL;
    }
    c->id = id;
    w->clients = clients;
    w->clients[number] = c;
    w->client_count++;
    return c;
}

struct client *world_client(const struct world *w, uint64_t id)
{
    uint32_t number = number_of(w, id);
    struct client *c = number < w->client_cap ? w->clients[number] : NULL;
    if (!c || c->id != id)
        c = map_get(&w->closing, id);
    return c || !w->hasty || w->hasty->id != id ? c : w->hasty;
}

void world_close_client(struct world *w, struct client *c)
{
    assert(!w->hasty && world_client(w, c->id) == c);
    w->clients[number_of(w, c->id)] = NULL;
    if (c->life != CLIENT_GONE)
        c->life = CLIENT_CLOSING;
    if (w->closing.count >= CLOSING_MAX || map_put(&w->closing, c->id, c) < 0)
        w->hasty = c;
}

uint32_t world_walk_after(const struct world *w, uint64_t id)
{
    uint64_t after = (uint64_t)number_of(w, id) + 1;
    return after < w->client_cap ? (uint32_t)after : w->client_cap;
}

struct client *world_next_client(const struct world *w, uint32_t *at)
{
    while (*at < w->client_cap) {
        struct client *c = w->clients[(*at)++];
        if (c)
            return c;
    }
    return NULL;
}

struct client_extras *client_extras(struct client *c)
{
    if (!c->extras && (c->extras = calloc(1, sizeof *c->extras))) {
        c->extras->client = c;
        list_init(&c->extras->ready);
    }
    return c->extras;
}

void world_remove_client(struct world *w, struct client *c)
{
    if (w->hasty == c)
        w->hasty = NULL;
    else
        map_take(&w->closing, c->id);
    w->client_count--;
    while (c->roster.count) {
        look_again(w, world_room_of(w, c->roster.first));
        /* The shard has forgotten the connection: no mail, no way back. */
        roster_drop(&w->roster, c->roster.first);
    }
    free_client(c);
}

/* --- rooms --------------------------------------------------------------- */

/* FNV-1a, seeded so that nobody outside can aim for collisions. */
static uint64_t hash_name(const struct world *w, struct bytes name)
{
    uint64_t hash = w->seed ^ 0xcbf29ce484222325U;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ name.at[i]) * 0x100000001b3U;
    return hash;
}

struct room *world_room(const struct world *w, struct bytes name)
{
    struct room *r = map_get(&w->rooms_by_hash, hash_name(w, name));
    while (r && !bytes_equal(name, (struct bytes){(const uint8_t *)r->name, r->len}))
        r = r->next;
    return r;
}

enum world_result world_make_room(struct world *w, struct bytes name, struct room **out)
{
    struct room *r = world_room(w, name);
    if (!r && w->rooms.count >= w->limits.rooms)
        return WORLD_FULL;
    if (!r) {
        r = calloc(1, sizeof *r + name.len + 1);
        if (!r)
            return WORLD_NO_MEMORY;
        r->id = w->last_room + 1;
        r->hash = hash_name(w, name);
        r->next = map_get(&w->rooms_by_hash, r->hash);
        r->len = (uint32_t)name.len;
        memcpy(r->name, name.at, name.len);
        list_init(&r->check);
        if (map_put(&w->rooms, r->id, r) < 0 ||
            map_put(&w->rooms_by_hash, r->hash, r) < 0) {
            map_take(&w->rooms, r->id);
            free(r);
            return WORLD_NO_MEMORY;
        }
        w->last_room++;
        look_again(w, r); /* it stays if somebody is in it when the handler ends */
    }
    *out = r;
    return WORLD_OK;
}

static void drop_room(struct world *w, struct room *room)
{
    if (w->on_room_gone)
        w->on_room_gone(w->ctx, room);
    map_take(&w->rooms, room->id);
    struct room *first = map_take(&w->rooms_by_hash, room->hash), *rest = NULL;
    for (struct room *r = first, *next; r; r = next) {
        next = r->next;
        if (r == room)
            continue;
        r->next = rest;
        rest = r;
    }
    if (rest)
        (void)map_put(&w->rooms_by_hash, room->hash,
                      rest); /* its slot has just become free */
    free(room);
}

/* --- staged effects ------------------------------------------------------ */

static bool carries_frame(const struct mail *m)
{
    return m->kind == MAIL_SEND || m->kind == MAIL_BROADCAST;
}

static enum world_result stage(struct world *w, uint32_t shard, const struct mail *m,
                               struct bytes bytes)
{
    if (shard >= w->shard_count)
        return WORLD_OK; /* a scratch world has no shards */
    assert(!carries_frame(m) || m->frame);
    size_t weight = carries_frame(m) ? outframe_bytes(m->frame).len : 0;
    if (w->staged + weight > STAGED_MAX_BYTES ||
        batch_add(&w->out[shard], m, bytes) < 0) {
        w->failed = true; /* half of a broadcast may be staged: nothing of it counts */
        return WORLD_NO_MEMORY;
    }
    w->out[shard].weight += weight;
    w->staged += weight;
    if (carries_frame(m))
        outframe_ref(m->frame);
    return WORLD_OK;
}

enum world_result world_send(struct world *w, uint64_t client, struct outframe *f)
{
    struct mail m = {.kind = MAIL_SEND, .id = client, .frame = f};
    return stage(w, id_shard(client), &m, (struct bytes){0});
}

enum world_result world_broadcast(struct world *w, const struct room *room,
                                  uint64_t except, struct outframe *f)
{
    struct mail m = {.kind = MAIL_BROADCAST, .id = except, .frame = f};
    m.room = room ? room->id : 0;
    if (room && room->roster.count == 0)
        return WORLD_OK;
    for (uint32_t i = 0; i < w->shard_count; i++)
        if (stage(w, i, &m, (struct bytes){0}) != WORLD_OK)
            return WORLD_NO_MEMORY;
    return WORLD_OK;
}

enum world_result world_admit(struct world *w, uint64_t client)
{
    struct mail m = {.kind = MAIL_ADMIT, .id = client};
    return stage(w, id_shard(client), &m, (struct bytes){0});
}

enum world_result world_join(struct world *w, struct client *c, struct room *room)
{
    struct mail m = {.kind = MAIL_JOIN, .id = c->id, .room = room->id};
    look_again(w, room);
    if (c->roster.count >= w->limits.rooms_per_client &&
        !roster_find(&w->roster, &c->roster, &room->roster))
        return WORLD_FULL;
    switch (roster_join(&w->roster, &c->roster, &room->roster)) {
    case ROSTER_OK:
        return stage(w, id_shard(c->id), &m, (struct bytes){0});
    case ROSTER_ALREADY:
        return WORLD_ALREADY;
    case ROSTER_NO_MEMORY:
        break;
    }
    return WORLD_NO_MEMORY;
}

enum world_result world_leave(struct world *w, struct client *c, struct room *room)
{
    struct mail m = {.kind = MAIL_LEAVE, .id = c->id, .room = room->id};
    look_again(w, room);
    switch (roster_leave(&w->roster, &c->roster, &room->roster)) {
    case ROSTER_OK:
        return stage(w, id_shard(c->id), &m, (struct bytes){0});
    case ROSTER_ALREADY:
        return WORLD_ALREADY;
    case ROSTER_NO_MEMORY:
        break;
    }
    return WORLD_NO_MEMORY;
}

enum world_result world_close(struct world *w, uint64_t client, uint16_t code,
                              struct bytes reason)
{
    struct mail m = {.kind = MAIL_CLOSE, .id = client, .code = code};
    return stage(w, id_shard(client), &m, reason);
}

static enum world_result stage_all(struct world *w, enum mail_kind kind,
                                   struct bytes bytes)
{
    struct mail m = {.kind = kind};
    for (uint32_t i = 0; i < w->shard_count; i++)
        if (stage(w, i, &m, bytes) != WORLD_OK)
            return WORLD_NO_MEMORY;
    return WORLD_OK;
}

enum world_result world_protocols(struct world *w, struct bytes names)
{
    return stage_all(w, MAIL_PROTOCOLS, names);
}

enum world_result world_routes(struct world *w, struct bytes routes)
{
    return stage_all(w, MAIL_ROUTES, routes);
}

enum world_result world_respond(struct world *w, uint64_t id, int status,
                                struct bytes response)
{
    struct mail m = {.kind = MAIL_RESPONSE, .id = id, .status = (uint16_t)status};
    return stage(w, id_shard(id), &m, response);
}

enum world_result world_drain(struct world *w)
{
    return stage_all(w, MAIL_DRAIN, (struct bytes){0});
}

enum world_result world_pause(struct world *w, struct client *c, bool paused)
{
    struct mail m = {.kind = paused ? MAIL_PAUSE : MAIL_RESUME, .id = c->id};
    enum world_result result = stage(w, id_shard(c->id), &m, (struct bytes){0});
    if (result == WORLD_OK)
        c->paused = paused;
    return result;
}

/* Rooms that a handler looked at and that nobody is in go. */
static void sweep(struct world *w)
{
    while (!list_is_empty(&w->check)) {
        struct room *r = LIST_ENTRY(w->check.next, struct room, check);
        list_remove(&r->check);
        if (r->roster.count == 0)
            drop_room(w, r);
    }
}

void world_commit(struct world *w)
{
    for (uint32_t i = 0; i < w->shard_count; i++)
        w->committed[i] = w->out[i].buf.len;
    w->staged = 0;
    w->failed = false;
    roster_commit(&w->roster);
    sweep(w);
}

void world_rollback(struct world *w)
{
    for (uint32_t i = 0; i < w->shard_count; i++)
        cut(&w->out[i], w->committed[i]);
    w->staged = 0;
    w->failed = false;
    roster_rollback(&w->roster);
    sweep(w);
}

void world_post(struct world *w)
{
    for (uint32_t i = 0; i < w->shard_count; i++) {
        (void)mailbox_post(&w->shards[i],
                           &w->out[i]); /* without memory: with the next turn's */
        w->committed[i] = w->out[i].buf.len;
    }
}

bool world_is_unposted(const struct world *w)
{
    for (uint32_t i = 0; i < w->shard_count; i++)
        if (w->out[i].buf.len)
            return true;
    return false;
}

bool world_is_full(struct world *w)
{
    for (uint32_t i = 0; i < w->shard_count; i++)
        if (mailbox_is_full(&w->shards[i]))
            return true;
    return false;
}
