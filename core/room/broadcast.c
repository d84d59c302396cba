/* broadcast: When is who written to? A write costs a system call a member, so two
 * messages to a room in one turn should share it. They may, unless one of the members is
 * told something else in between: a whisper that was sent after "Ana: hi" must not come
 * before it.
 *
 * The idea: a message to a room goes into the room's bundle, and the bundle is closed,
 * that is, joined to one frame and put into each member's queue, as late as order allows:
 * - before anything else is queued for one of its members (broadcast_close_of);
 * - before a message to another room that shares a member (close_shared_bundle): of such
 *   rooms one at a time has an open bundle;
 * - before somebody joins, who must not hear what was said earlier;
 * - at the latest at the end of the turn, or of the room's rest (room/pace).
 * So: room:send("a"), room:send("b"), ana:send("psst"), room:send("c") make two frames
 * for the room, "ab" and "c", and Ana hears a, b, psst, c.
 *
 * Queues alone would keep order, too, at one frame a message and member; a bundle is one
 * a turn. What is in bundles is bounded for each (BUNDLE_BYTES_MAX) and for all of them
 * (BUNDLED_MAX): beyond that they are closed early. */
#include "room/broadcast.h"

#include "base/clock.h"

#include <math.h>

enum { BUNDLED_MAX = 4 * 1024 * 1024 }; /* bytes of messages in open bundles */

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
    double rest = pace_rest(&b->writer->pace, t->count);
    t->bundle.not_before = rest > 0 ? clock_now() + rest : 0;
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
