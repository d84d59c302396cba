/* shard: one ev_io a connection, one timer for all of them; the waits of one kind last
 * equally long, so a list a kind is in order of deadlines by itself. Longer than other
 * files: it is the one place where watchers, mail and connections meet. */
#include "room/shard.h"

#include "base/id.h"
#include "base/list.h"
#include "net/gate.h"
#include "net/ring.h"
#include "net/tls.h"
#include "room/topic.h"
#include "wire/close.h"
#include "wire/header.h"

#include <assert.h>
#include <ev.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    SCRATCH_BYTES = 64 * 1024,
    UP_BATCH_BYTES = 256 * 1024, /* posted within a turn when it grows larger */
    SUBJECT_MAX = 1024,          /* of a client's certificate */
    READS_A_TURN = 16, /* of one peer, while its stream says that more is inside */
    NO_SLOT = ID_SLOTS_MAX,
    WORTH_TIMING = 32,             /* peers written to in one turn */
    BUNDLED_MAX = 4 * 1024 * 1024, /* bytes of messages in open bundles */
};

static const double RETRY_SECONDS = 0.1;

/* A room is left alone for PAUSE_FACTOR times what writing to it takes, so that under
 * load more messages share a write; not longer than PAUSE_MAX, and small rooms not at
 * all. */
static const double PAUSE_FACTOR = 2, PAUSE_MAX = 0.005, PAUSE_MIN = 0.0003;

/* What takes longer than this for one peer is not its room's fault. */
static const double WRITE_MAX = 0.00002;

_Static_assert((int)BUNDLE_MESSAGES_MAX <= (int)DEFLATE_JOIN_MAX, "bundles have twins");

struct peer {
    ev_io io;
    struct list wait;  /* in the list of its wait's kind */
    struct list dirty; /* in the list of those to settle at the turn's end */
    double deadline;
    struct conn *conn;
    struct stream tcp; /* of a connection that is not encrypted */
    struct shard *shard;
    uint64_t id;
    bool opened;   /* MAIL_OPEN was posted */
    bool told;     /* MAIL_CLOSED was posted */
    bool admitted; /* the rules have let it in */
};

struct slot {
    struct peer *peer;
    uint32_t generation;
    uint32_t next_free;
};

struct shard {
    struct shard_setup setup;
    struct conn_env env;
    struct batch mail; /* taken from the inbox */
    struct batch up;   /* for the host */
    struct topics topics;
    struct buf protocols; /* what env.protocols points to */
    struct slot *slots;
    uint32_t slot_count, first_free, last_free;
    struct list waits[CONN_WAIT_KINDS];
    struct list dirty;
    uint64_t shared_room; /* of those with shared members, the last that got a message */
    double write_seconds; /* what settling one peer takes, a moving average */
    struct ring *ring;    /* NULL: every peer is written to by itself */
    struct {
        struct peer *peer;
        ssize_t result;
    } writing[RING_SENDS_MAX]; /* peers whose send is in the ring */
    uint32_t writing_count;
    ev_timer tick;
    uint32_t open; /* peers that opened and whose end was not told yet */
    bool held;     /* the host's inbox is full: sockets are not read */
    bool drained;  /* MAIL_DRAINED was posted */
    uint8_t scratch[SCRATCH_BYTES];
};

/* --- peers --------------------------------------------------------------- */

static void touch(struct peer *p)
{
    if (list_is_empty(&p->dirty))
        list_add_tail(&p->shard->dirty, &p->dirty);
}

static struct peer *find(const struct shard *s, uint64_t id)
{
    uint32_t slot = id_slot(id);
    struct peer *p = slot < s->slot_count ? s->slots[slot].peer : NULL;
    return p && p->id == id ? p : NULL;
}

static int grow_slots(struct shard *s)
{
    uint32_t count = s->slot_count ? s->slot_count * 2 : 64;
    if (count > ID_SLOTS_MAX)
        return -1;
    struct slot *slots = realloc(s->slots, count * sizeof *slots);
    if (!slots)
        return -1;
    for (uint32_t i = s->slot_count; i < count; i++)
        slots[i] =
            (struct slot){.generation = 1, .next_free = i + 1 < count ? i + 1 : NO_SLOT};
    s->first_free = s->slot_count;
    s->last_free = count - 1;
    s->slots = slots;
    s->slot_count = count;
    return 0;
}

/* Gives `p` a slot and an id; the slot that was freed longest ago, so that ids return
 * late. */
static int take_slot(struct shard *s, struct peer *p)
{
    if (s->first_free == NO_SLOT && grow_slots(s) < 0)
        return -1;
    uint32_t i = s->first_free;
    s->first_free = s->slots[i].next_free;
    s->slots[i].peer = p;
    p->id = id_make(s->setup.index, i, s->slots[i].generation);
    return 0;
}

static void free_slot(struct shard *s, uint32_t i)
{
    struct slot *slot = &s->slots[i];
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

static void post_up(struct shard *s)
{
    /* Without memory the mail stays in the batch and goes with the next turn's. */
    (void)mailbox_post(s->setup.host, &s->up);
}

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void keep_time(struct shard *s)
{
    s->env.now_ms = (uint64_t)(clock_now() * 1000);
}

static void read_peer(struct peer *p)
{
    struct shard *s = p->shard;
    if (s->up.buf.len > UP_BATCH_BYTES)
        post_up(s);
    if (s->held || mailbox_is_full(s->setup.host)) {
        s->held = true;
        ev_io_stop(s->setup.loop, &p->io);
        return;
    }
    for (int i = 0; i < READS_A_TURN; i++)
        if (!conn_read(p->conn, s->scratch, sizeof s->scratch))
            return;
    ev_feed_event(s->setup.loop, &p->io, EV_READ);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop;
    struct peer *p = w->data;
    keep_time(p->shard);
    if ((revents & EV_READ) || conn_wants_read_retry(p->conn))
        read_peer(p);
    touch(p);
}

static void accept_peer(struct shard *s, const struct mail *m)
{
    struct peer *p = calloc(1, sizeof *p);
    struct stream *stream = NULL;
    if (p && m->accept.tls) {
        stream = stream_tls_new(s->setup.tls, m->accept.fd);
    } else if (p) {
        stream = &p->tcp;
        stream_tcp_init(stream, m->accept.fd);
    }
    if (!stream)
        goto fail;
    p->conn = conn_new(&s->env, p, stream, &m->accept.addr);
    if (!p->conn || take_slot(s, p) < 0)
        goto fail;
    p->shard = s;
    list_init(&p->wait);
    list_init(&p->dirty);
    ev_io_init(&p->io, on_io, stream->fd, EV_READ);
    p->io.data = p;
    touch(p);
    return;
fail:
    gate_leave(s->setup.gate, &m->accept.addr);
    log_warn(s->setup.log, "connection refused: out of memory or of slots shard=%u",
             s->setup.index);
    if (p && p->conn)
        conn_free(p->conn);
    else if (stream)
        stream->ops->free(stream);
    else
        close(m->accept.fd);
    free(p);
}

static void reap(struct peer *p)
{
    struct shard *s = p->shard;
    list_remove(&p->wait);
    list_remove(&p->dirty);
    ev_io_stop(s->setup.loop, &p->io);
    ev_clear_pending(s->setup.loop, &p->io);
    topic_remove_all(&s->topics, id_slot(p->id));
    free_slot(s, id_slot(p->id));
    gate_leave(s->setup.gate, conn_addr(p->conn));
    conn_free(p->conn);
    free(p);
}

/* --- mail up ------------------------------------------------------------- */

static int on_open(void *owner, struct conn *conn, struct bytes head,
                   struct bytes protocol)
{
    struct peer *p = owner;
    struct shard *s = p->shard;
    const struct stream *stream = conn_stream(conn);
    struct mail m = {.kind = MAIL_OPEN, .id = p->id};
    char subject[SUBJECT_MAX];
    m.open.addr = *conn_addr(conn);
    m.open.secure = stream->secure;
    m.open.head_len = (uint32_t)head.len;
    struct buf both = {0};
    int result = buf_append(&both, head);
    if (result == 0 && stream->ops->subject &&
        stream->ops->subject(stream, subject, sizeof subject))
        result = buf_append(&both, bytes_of(subject));
    m.open.subject_len = (uint32_t)(both.len - head.len);
    if (result == 0)
        result = buf_append(&both, protocol);
    if (result == 0)
        result = batch_add(&s->up, &m, buf_bytes(&both));
    buf_deinit(&both);
    if (result < 0)
        return -1;
    p->opened = true;
    s->open++;
    stats_add(&s->setup.stats->connections, 1);
    return 0;
}

static bool on_client(void *owner, struct conn *conn, const struct addr *client)
{
    struct shard *s = ((struct peer *)owner)->shard;
    enum gate_answer answer =
        gate_change(s->setup.gate, conn_addr(conn), client, s->env.now_ms);
    if (answer == GATE_OPEN)
        return true;
    stats_add(&s->setup.stats->turned_away, 1);
    limit_reached(s->setup.stats->limits, gate_limit(answer), client, s->env.now_ms,
                  s->setup.log);
    return false;
}

static int on_message(void *owner, struct conn *conn, struct bytes data, bool binary)
{
    (void)conn;
    struct peer *p = owner;
    struct mail m = {.kind = MAIL_MESSAGE, .id = p->id, .binary = binary};
    return batch_add(&p->shard->up, &m, data);
}

/* Posts MAIL_CLOSED once. False when memory is out: the peer stays dirty and it is tried
 * again. */
static bool tell_end(struct peer *p)
{
    struct shard *s = p->shard;
    struct mail m = {.kind = MAIL_CLOSED, .id = p->id};
    struct bytes reason;
    if (!p->opened || p->told || !conn_is_over(p->conn, &m.code, &reason))
        return true;
    if (batch_add(&s->up, &m, reason) < 0)
        return false;
    p->told = true;
    s->open--;
    stats_add(&s->setup.stats->connections, (uint64_t)-1);
    topic_remove_all(&s->topics, id_slot(p->id));
    return true;
}

/* --- mail down ----------------------------------------------------------- */

static void deliver(struct peer *p, struct frame *f)
{
    struct shard *s = p->shard;
    enum send_result result = conn_send(p->conn, f);
    if (result == SEND_FULL && !list_is_empty(&p->dirty)) {
        /* Much at once is not slow: what the socket takes of this turn's leaves first. */
        conn_flush(p->conn);
        result = conn_send(p->conn, f);
    }
    switch (result) {
    case SEND_OK:
        stats_add(&s->setup.stats->messages_out, f->messages);
        break;
    case SEND_GONE:
        break;
    case SEND_FULL:
        conn_too_slow(p->conn, f, s->setup.drop_when_slow);
        break;
    }
    touch(p);
}

/* Hands `f` to all members of `t`; `parts` are what it was joined of. */
static void deliver_to_all(struct shard *s, const struct topic *t, struct frame *f,
                           struct frame *const *parts, size_t count)
{
    bool has_twin = count == 1; /* a single one gets it by itself */
    for (uint32_t i = 0; i < t->count; i++) {
        struct peer *p = s->slots[topic_member(t, i)].peer;
        if (!has_twin && conn_takes_deflated(p->conn)) {
            deflate_join(s->env.deflate, parts, count, f);
            has_twin = true;
        }
        deliver(p, f);
    }
}

/* When a room that is written to now may be written to again. */
static double next_write(const struct shard *s, const struct topic *t)
{
    double takes = s->write_seconds * t->count, pause = PAUSE_FACTOR * takes;
    if (pause < PAUSE_MIN)
        return 0;
    return clock_now() + takes + (pause < PAUSE_MAX ? pause : PAUSE_MAX);
}

/* Hands what `t` holds to its members' queues. */
static void close_bundle(struct shard *s, struct topic *t)
{
    struct frame **parts = bundle_parts(&t->bundle);
    size_t count = bundle_count(&t->bundle);
    if (count == 0)
        return;
    struct frame *joined = count > 1 ? frame_join(parts, count) : NULL;
    if (joined)
        deliver_to_all(s, t, joined, parts, count);
    for (size_t i = 0; i < count && !joined; i++) /* it is alone, or memory is out */
        deliver_to_all(s, t, parts[i], NULL, 1);
    frame_unref(joined);
    bundle_clear(&t->bundle, &s->topics.bundles);
    t->bundle.not_before = next_write(s, t);
}

static struct topic *topic_of_bundle(struct list *open)
{
    return LIST_ENTRY(LIST_ENTRY(open, struct bundle, open), struct topic, bundle);
}

/* Closes the bundles that are due by `now`. */
static void close_bundles(struct shard *s, double now)
{
    struct list *all = &s->topics.bundles.open;
    for (struct list *l = all->next, *next; l != all; l = next) {
        next = l->next;
        if (topic_of_bundle(l)->bundle.not_before <= now)
            close_bundle(s, topic_of_bundle(l));
    }
}

/* Before a message to `t`: of the rooms that share members one at a time has an open
 * bundle, so that its members hear them in order. */
static void close_shared_bundle(struct shard *s, const struct topic *t)
{
    if (!t->shared)
        return;
    struct topic *other =
        s->shared_room == t->room ? NULL : topic_find(&s->topics, s->shared_room);
    if (other)
        close_bundle(s, other);
    s->shared_room = t->room;
}

/* Before anything else is queued for the peer of `slot`: what its rooms were sent before
 * it comes first. */
static void close_bundles_of(struct shard *s, uint32_t slot)
{
    struct topic *t;
    for (uint32_t i = 0; (t = topic_of_slot(&s->topics, slot, i)); i++)
        close_bundle(s, t);
}

/* To every member but one, or to everybody. */
static void broadcast_at_once(struct shard *s, const struct topic *t,
                              const struct mail *m)
{
    uint32_t count = t ? t->count : s->slot_count;
    for (uint32_t i = 0; i < count; i++) {
        struct peer *p = s->slots[t ? topic_member(t, i) : i].peer;
        if (p && p->id != m->id && (t || p->admitted))
            deliver(p, m->frame);
    }
}

static void broadcast(struct shard *s, const struct mail *m)
{
    struct topic *t = m->room ? topic_find(&s->topics, m->room) : NULL;
    size_t len = frame_bytes(m->frame).len;
    if (m->room && !t)
        return;
    if (t && t->bundle.parts.len && !bundle_has_room(&t->bundle, len, s->setup.queue_max))
        close_bundle(s, t);
    if (!t || s->topics.bundles.bytes > BUNDLED_MAX)
        close_bundles(s, INFINITY);
    if (t)
        close_shared_bundle(s, t);
    if (t && m->id == 0 && bundle_add(&t->bundle, &s->topics.bundles, m->frame) == 0)
        return;
    if (t)
        close_bundle(s, t);
    broadcast_at_once(s, t, m);
}

/* It hears what its room is told from now on. */
static void join(struct peer *p, uint64_t room)
{
    struct shard *s = p->shard;
    struct topic *t = topic_find(&s->topics, room);
    if (t)
        close_bundle(s, t);
    if (p->told || topic_add(&s->topics, room, id_slot(p->id)) == 0)
        return;
    /* It would miss what its room is told: better that it comes back. */
    conn_close(p->conn, WS_CLOSE_INTERNAL, bytes_of("out of memory"));
    touch(p);
}

/* Mail that is about one peer: what its rooms were sent before comes first. */
static void carry_to_peer(struct peer *p, const struct mail *m)
{
    close_bundles_of(p->shard, id_slot(p->id));
    if (m->kind == MAIL_SEND) {
        deliver(p, m->frame);
    } else if (m->kind == MAIL_JOIN) {
        join(p, m->room);
    } else if (m->kind == MAIL_LEAVE) {
        topic_remove(&p->shard->topics, m->room, id_slot(p->id));
    } else {
        conn_close(p->conn, m->code, mail_bytes(m));
        touch(p);
    }
}

/* Ends every WebSocket connection, politely or at once. */
static void drain(struct shard *s, bool politely)
{
    s->env.is_draining = true;
    close_bundles(s, INFINITY);
    for (uint32_t i = 0; i < s->slot_count; i++) {
        struct peer *p = s->slots[i].peer;
        if (!p || !p->opened)
            continue;
        conn_close(p->conn, WS_CLOSE_GOING_AWAY, bytes_of("server stopping"));
        if (!politely)
            conn_abort(p->conn);
        touch(p);
    }
}

static void carry_out(struct shard *s, const struct mail *m)
{
    struct peer *p = find(s, m->id);
    switch (m->kind) {
    case MAIL_SEND:
    case MAIL_JOIN:
    case MAIL_LEAVE:
    case MAIL_CLOSE:
        if (p)
            carry_to_peer(p, m);
        if (m->kind == MAIL_SEND)
            frame_unref(m->frame);
        break;
    case MAIL_BROADCAST:
        broadcast(s, m);
        frame_unref(m->frame);
        break;
    case MAIL_ADMIT:
        if (p)
            p->admitted = true;
        break;
    case MAIL_PAUSE:
    case MAIL_RESUME:
        if (p) {
            conn_pause(p->conn, m->kind == MAIL_PAUSE);
            touch(p);
        }
        break;
    case MAIL_PROTOCOLS:
        s->protocols.len = 0;
        if (buf_append(&s->protocols, mail_bytes(m)) < 0)
            log_error(s->setup.log, "subprotocols not taken over: out of memory");
        s->env.protocols = buf_bytes(&s->protocols);
        break;
    case MAIL_ACCEPT:
        accept_peer(s, m);
        break;
    case MAIL_DRAIN:
        drain(s, true);
        break;
    case MAIL_ABORT:
        drain(s, false);
        break;
    case MAIL_OPEN:
    case MAIL_MESSAGE:
    case MAIL_CLOSED:
    case MAIL_DRAINED:
    case MAIL_RELOAD:
    case MAIL_POST:
    case MAIL_FETCH:
    case MAIL_FETCH_CANCEL:
    case MAIL_FETCHED:
        assert(false); /* mail for others in a shard's inbox */
    }
}

/* --- the turn ------------------------------------------------------------ */

static void watch(struct peer *p)
{
    struct shard *s = p->shard;
    int events =
        (conn_wants_read(p->conn) && !s->held ? EV_READ : 0) |
        (conn_wants_write(p->conn) && !(s->held && conn_wants_read_retry(p->conn))
             ? EV_WRITE
             : 0);
    if (ev_is_active(&p->io) ? p->io.events == events : events == 0)
        return;
    ev_io_stop(s->setup.loop, &p->io);
    ev_io_modify(&p->io, events);
    if (events)
        ev_io_start(s->setup.loop, &p->io);
}

static void rearm(struct peer *p)
{
    bool restarted;
    enum conn_wait wait = conn_wait(p->conn, &restarted);
    if (!restarted)
        return;
    p->deadline = clock_now() + p->shard->setup.wait[wait];
    list_remove(&p->wait);
    list_add_tail(&p->shard->waits[wait], &p->wait);
}

/* Brings a peer's socket, timer and life in line with its conn, after what it had to
 * write was written. */
static void settle(struct peer *p)
{
    if (!tell_end(p)) {
        list_add_tail(&p->shard->dirty, &p->dirty);
        return;
    }
    if (conn_is_dead(p->conn)) {
        reap(p);
        return;
    }
    rearm(p);
    watch(p);
}

/* Leaves the peer's write to the ring. False: it has to write for itself. */
static bool write_later(struct shard *s, struct peer *p)
{
    struct bytes piece = s->ring ? conn_piece(p->conn) : (struct bytes){0};
    if (!piece.len || !ring_send(s->ring, conn_stream(p->conn)->fd, piece,
                                 &s->writing[s->writing_count].result))
        return false;
    s->writing[s->writing_count++].peer = p;
    return true;
}

static void finish_writing(struct shard *s)
{
    if (s->writing_count)
        ring_submit(s->ring);
    for (uint32_t i = 0; i < s->writing_count; i++) {
        conn_wrote(s->writing[i].peer->conn, s->writing[i].result);
        settle(s->writing[i].peer);
    }
    s->writing_count = 0;
}

/* Writes to all peers that were touched. */
static void settle_all(struct shard *s)
{
    struct list now = s->dirty;
    uint32_t count = 0;
    if (list_is_empty(&s->dirty))
        return;
    double began = clock_now();
    now.next->prev = now.prev->next = &now;
    list_init(&s->dirty);
    for (; !list_is_empty(&now); count++) {
        struct peer *p = LIST_ENTRY(now.next, struct peer, dirty);
        list_remove(&p->dirty);
        if (write_later(s, p)) {
            if (s->writing_count == RING_SENDS_MAX)
                finish_writing(s);
            continue;
        }
        conn_flush(p->conn);
        settle(p);
    }
    finish_writing(s);
    if (count < WORTH_TIMING)
        return;
    double each = (clock_now() - began) / count;
    s->write_seconds += ((each < WRITE_MAX ? each : WRITE_MAX) - s->write_seconds) / 8;
}

/* The host has room again: reads where reading had stopped. */
static void release(struct shard *s)
{
    struct list again;
    if (!s->held || mailbox_is_full(s->setup.host))
        return;
    list_init(&again);
    s->held = false;
    while (!list_is_empty(&s->waits[CONN_WAIT_PONG])) { /* their time begins again */
        struct peer *p = LIST_ENTRY(s->waits[CONN_WAIT_PONG].next, struct peer, wait);
        list_remove(&p->wait);
        list_add_tail(&again, &p->wait);
    }
    while (!list_is_empty(&again)) {
        struct peer *p = LIST_ENTRY(again.next, struct peer, wait);
        list_remove(&p->wait);
        p->deadline = clock_now() + s->setup.wait[CONN_WAIT_PONG];
        list_add_tail(&s->waits[CONN_WAIT_PONG], &p->wait);
    }
    for (uint32_t i = 0; i < s->slot_count; i++)
        if (s->slots[i].peer)
            watch(s->slots[i].peer);
}

/* Sets the timer for the earliest deadline. */
static void set_tick(struct shard *s)
{
    /* What memory was too short for is tried again soon. */
    double first =
        s->up.buf.len || !list_is_empty(&s->dirty) ? clock_now() + RETRY_SECONDS : 0;
    for (int i = 0; i < CONN_WAIT_KINDS; i++) {
        if (list_is_empty(&s->waits[i]) || (s->held && i == CONN_WAIT_PONG))
            continue;
        double d = LIST_ENTRY(s->waits[i].next, struct peer, wait)->deadline;
        first = first == 0 || d < first ? d : first;
    }
    const struct list *bundles = &s->topics.bundles.open;
    for (struct list *l = bundles->next; l != bundles; l = l->next) {
        double d = topic_of_bundle(l)->bundle.not_before;
        first = first == 0 || d < first ? d : first;
    }
    double now = clock_now();
    if (first == 0 || (ev_is_active(&s->tick) &&
                       now + ev_timer_remaining(s->setup.loop, &s->tick) <= first))
        return;
    ev_timer_stop(s->setup.loop, &s->tick);
    ev_timer_set(&s->tick, first > now ? first - now : 0, 0);
    ev_timer_start(s->setup.loop, &s->tick);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    (void)loop;
    struct shard *s = w->data;
    double now = clock_now();
    keep_time(s);
    for (int i = 0; i < CONN_WAIT_KINDS; i++) {
        if (s->held && i == CONN_WAIT_PONG)
            continue; /* signs of life are not read now */
        while (!list_is_empty(&s->waits[i])) {
            struct peer *p = LIST_ENTRY(s->waits[i].next, struct peer, wait);
            if (p->deadline > now)
                break;
            list_remove(&p->wait);
            conn_timeout(p->conn);
            touch(p);
        }
    }
}

void shard_turn(struct shard *s)
{
    size_t at = 0;
    keep_time(s);
    if (!mailbox_is_empty(s->setup.inbox))
        mailbox_take(s->setup.inbox, &s->mail);
    for (struct mail *m; (m = batch_next(&s->mail, &at));)
        carry_out(s, m);
    s->mail.buf.len = 0;
    if (!list_is_empty(&s->topics.bundles.open))
        close_bundles(s, clock_now());
    settle_all(s);
    struct mail drained = {.kind = MAIL_DRAINED};
    if (s->env.is_draining && s->open == 0 && !s->drained)
        s->drained = batch_add(&s->up, &drained, (struct bytes){0}) == 0;
    post_up(s);
    release(s);
    set_tick(s);
}

struct shard *shard_new(const struct shard_setup *setup)
{
    struct shard *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->setup = *setup;
    s->env = (struct conn_env){
        .http = setup->http,
        .session = setup->session,
        .queue_max = setup->queue_max,
        .queued_max = setup->queued_max,
        .messages_a_second = setup->messages_a_second,
        .bytes_a_second = setup->bytes_a_second,
        .origins = setup->origins,
        .origin_count = setup->origin_count,
        .trusted = setup->trusted,
        .trusted_count = setup->trusted_count,
        .on_client = on_client,
        .page = setup->page,
        .stats = setup->stats,
        .log = setup->log,
        .ping = frame_new(WS_PING, (struct bytes){0}),
        .on_open = on_open,
        .on_message = on_message,
    };
    s->env.deflate = setup->deflate ? deflate_new(setup->deflate_min) : NULL;
    if (!s->env.ping || (setup->deflate && !s->env.deflate)) {
        frame_unref(s->env.ping);
        free(s);
        return NULL;
    }
    for (int i = 0; i < CONN_WAIT_KINDS; i++)
        list_init(&s->waits[i]);
    list_init(&s->dirty);
    topics_init(&s->topics);
    s->ring = ring_new();
    s->first_free = NO_SLOT;
    ev_timer_init(&s->tick, on_tick, 0, 0);
    s->tick.data = s;
    return s;
}

/* Gives up what undelivered mail owns. */
static void discard(const struct batch *b)
{
    size_t at = 0;
    for (struct mail *m; (m = batch_next(b, &at));) {
        if (m->kind == MAIL_SEND || m->kind == MAIL_BROADCAST)
            frame_unref(m->frame);
        else if (m->kind == MAIL_ACCEPT)
            close(m->accept.fd);
    }
}

void shard_free(struct shard *s)
{
    if (!s)
        return;
    mailbox_take(s->setup.inbox, &s->mail);
    discard(&s->mail);
    for (uint32_t i = 0; i < s->slot_count; i++)
        if (s->slots[i].peer)
            reap(s->slots[i].peer);
    ev_timer_stop(s->setup.loop, &s->tick);
    topics_deinit(&s->topics);
    ring_free(s->ring);
    buf_deinit(&s->mail.buf);
    buf_deinit(&s->up.buf);
    buf_deinit(&s->protocols);
    frame_unref(s->env.ping);
    deflate_free(s->env.deflate);
    free(s->slots);
    free(s);
}
