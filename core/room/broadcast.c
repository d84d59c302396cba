/* broadcast: read broadcast_send first, then close_bundle. */
#include "room/broadcast.h"

#include "base/clock.h"

#include <math.h>

enum { BUNDLED_MAX = 4 * 1024 * 1024 }; /* bytes of messages in open bundles */

/* A room is left alone for PAUSE_FACTOR times what writing to it takes, so that under
 * load more messages share a write; not longer than PAUSE_MAX, and small rooms not at
 * all. */
static const double PAUSE_FACTOR = 2, PAUSE_MAX = 0.005, PAUSE_MIN = 0.0003;

_Static_assert((int)BUNDLE_MESSAGES_MAX <= (int)DEFLATE_JOIN_MAX, "bundles have twins");

void broadcast_init(struct broadcast *b, const struct slots *peers, struct writer *writer,
                    const struct conn_env *env)
{
    *b = (struct broadcast){.peers = peers, .writer = writer, .env = env};
    topics_init(&b->topics);
}

void broadcast_deinit(struct broadcast *b)
{
    topics_deinit(&b->topics);
}

/* Hands `f` to all members of `t`; `parts` are what it was joined of. */
static void send_to_members(struct broadcast *b, const struct topic *t,
                            struct outframe *f, struct outframe *const *parts,
                            size_t count)
{
    bool has_twin = count == 1; /* a single one gets it by itself */
    for (uint32_t i = 0; i < t->count; i++) {
        struct peer *p = slots_at(b->peers, topic_member(t, i));
        if (!has_twin && conn_takes_deflated(&p->conn)) {
            deflate_join(b->env->deflate, parts, count, f);
            has_twin = true;
        }
        writer_send(b->writer, p, f);
    }
}

/* When a room that is written to now may be written to again. */
static double next_write(const struct broadcast *b, const struct topic *t)
{
    double takes = b->writer->seconds * t->count, pause = PAUSE_FACTOR * takes;
    if (pause < PAUSE_MIN)
        return 0;
    return clock_now() + takes + (pause < PAUSE_MAX ? pause : PAUSE_MAX);
}

/* Hands what `t` holds to its members' queues. */
static void close_bundle(struct broadcast *b, struct topic *t)
{
    struct outframe **parts = bundle_parts(&t->bundle);
    size_t count = bundle_count(&t->bundle);
    if (count == 0)
        return;
    struct outframe *joined = count > 1 ? outframe_join(parts, count) : NULL;
    if (joined)
        send_to_members(b, t, joined, parts, count);
    for (size_t i = 0; i < count && !joined; i++) /* it is alone, or memory is out */
        send_to_members(b, t, parts[i], NULL, 1);
    outframe_unref(joined);
    bundle_clear(&t->bundle, &b->topics.bundles);
    t->bundle.not_before = next_write(b, t);
}

static struct topic *topic_of_bundle(struct list *open)
{
    return LIST_ENTRY(LIST_ENTRY(open, struct bundle, open), struct topic, bundle);
}

void broadcast_close_due(struct broadcast *b, double now)
{
    struct list *all = &b->topics.bundles.open;
    for (struct list *l = all->next, *next; l != all; l = next) {
        next = l->next;
        if (topic_of_bundle(l)->bundle.not_before <= now)
            close_bundle(b, topic_of_bundle(l));
    }
}

/* Before a message to `t`: of the rooms that share members one at a time has an open
 * bundle, so that its members hear them in order. */
static void close_shared_bundle(struct broadcast *b, const struct topic *t)
{
    if (!t->shared)
        return;
    struct topic *other =
        b->shared_room == t->room ? NULL : topic_find(&b->topics, b->shared_room);
    if (other)
        close_bundle(b, other);
    b->shared_room = t->room;
}

static void send_to_everybody(struct broadcast *b, uint64_t except, struct outframe *f)
{
    broadcast_close_due(b, INFINITY);
    for (uint32_t i = 0; i < b->peers->count; i++) {
        struct peer *p = slots_at(b->peers, i);
        if (p && p->admitted && p->id != except)
            writer_send(b->writer, p, f);
    }
}

static void send_to_others(struct broadcast *b, const struct topic *t, uint64_t except,
                           struct outframe *f)
{
    for (uint32_t i = 0; i < t->count; i++) {
        struct peer *p = slots_at(b->peers, topic_member(t, i));
        if (p->id != except)
            writer_send(b->writer, p, f);
    }
}

void broadcast_send(struct broadcast *b, uint64_t room, uint64_t except,
                    struct outframe *f)
{
    if (room == 0) {
        send_to_everybody(b, except, f);
        return;
    }
    struct topic *t = topic_find(&b->topics, room);
    if (!t)
        return;
    if (!bundle_has_room(&t->bundle, outframe_bytes(f).len, b->env->queue_max))
        close_bundle(b, t);
    if (b->topics.bundles.bytes > BUNDLED_MAX)
        broadcast_close_due(b, INFINITY);
    close_shared_bundle(b, t);
    if (except == 0 && bundle_add(&t->bundle, &b->topics.bundles, f) == 0)
        return;
    close_bundle(b, t);
    send_to_others(b, t, except, f);
}

int broadcast_join(struct broadcast *b, uint64_t room, uint32_t slot)
{
    struct topic *t = topic_find(&b->topics, room);
    if (t)
        close_bundle(b, t);
    return topic_add(&b->topics, room, slot);
}

void broadcast_leave(struct broadcast *b, uint64_t room, uint32_t slot)
{
    topic_remove(&b->topics, room, slot);
}

void broadcast_leave_all(struct broadcast *b, uint32_t slot)
{
    topic_remove_all(&b->topics, slot);
}

void broadcast_close_of(struct broadcast *b, uint32_t slot)
{
    struct topic *t;
    for (uint32_t i = 0; (t = topic_of_slot(&b->topics, slot, i)); i++)
        close_bundle(b, t);
}

double broadcast_next(const struct broadcast *b)
{
    double first = 0;
    const struct list *all = &b->topics.bundles.open;
    for (struct list *l = all->next; l != all; l = l->next) {
        double d = topic_of_bundle(l)->bundle.not_before;
        first = first == 0 || d < first ? d : first;
    }
    return first;
}
