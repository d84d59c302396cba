/* shard: one ev_io a connection, one timer for all of them; the waits of one kind last
 * equally long, so a list a kind is in order of deadlines by itself. Longer than other
 * files: it is the one place where watchers, mail and connections meet. */
#include "room/shard.h"

#include "base/id.h"
#include "base/list.h"
#include "net/gate.h"
#include "net/tls.h"
#include "room/topic.h"
#include "wire/close.h"
#include "wire/header.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    SCRATCH_BYTES = 64 * 1024,
    UP_BATCH_BYTES = 256 * 1024, /* posted within a turn when it grows larger */
    SUBJECT_MAX = 1024,          /* of a client's certificate */
    READS_A_TURN = 16, /* of one peer, while its stream says that more is inside */
    NO_SLOT = ID_SLOTS_MAX,
};

static const double RETRY_SECONDS = 0.1;

struct peer {
    ev_io io;
    struct list wait;  /* in the list of its wait's kind */
    struct list dirty; /* in the list of those to settle at the turn's end */
    double deadline;
    struct conn *conn;
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
    p->shard->env.now_ms = (uint64_t)(clock_now() * 1000);
    if ((revents & EV_READ) || conn_wants_read_retry(p->conn))
        read_peer(p);
    touch(p);
}

static void accept_peer(struct shard *s, const struct mail *m)
{
    struct peer *p = calloc(1, sizeof *p);
    struct stream *stream = NULL;
    if (p)
        stream = m->accept.tls ? stream_tls_new(s->setup.tls, m->accept.fd)
                               : stream_tcp_new(m->accept.fd);
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
        stats_add(&s->setup.stats->messages_out, 1);
        break;
    case SEND_GONE:
        break;
    case SEND_FULL:
        conn_too_slow(p->conn, s->setup.drop_when_slow);
        break;
    }
    touch(p);
}

static void broadcast(struct shard *s, const struct mail *m)
{
    uint32_t slot;
    if (m->room == 0) {
        for (uint32_t i = 0; i < s->slot_count; i++)
            if (s->slots[i].peer && s->slots[i].peer->admitted &&
                s->slots[i].peer->id != m->id)
                deliver(s->slots[i].peer, m->frame);
        return;
    }
    for (uint32_t i = 0; topic_member(&s->topics, m->room, i, &slot); i++)
        if (s->slots[slot].peer->id != m->id)
            deliver(s->slots[slot].peer, m->frame);
}

static void join(struct shard *s, const struct mail *m)
{
    struct peer *p = find(s, m->id);
    if (!p || p->told || topic_add(&s->topics, m->room, id_slot(m->id)) == 0)
        return;
    /* It would miss what its room is told: better that it comes back. */
    conn_close(p->conn, WS_CLOSE_INTERNAL, bytes_of("out of memory"));
    touch(p);
}

/* Ends every WebSocket connection, politely or at once. */
static void drain(struct shard *s, bool politely)
{
    s->env.is_draining = true;
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
        if (p)
            deliver(p, m->frame);
        frame_unref(m->frame);
        break;
    case MAIL_BROADCAST:
        broadcast(s, m);
        frame_unref(m->frame);
        break;
    case MAIL_JOIN:
        join(s, m);
        break;
    case MAIL_LEAVE:
        if (p)
            topic_remove(&s->topics, m->room, id_slot(m->id));
        break;
    case MAIL_CLOSE:
        if (p) {
            conn_close(p->conn, m->code, mail_bytes(m));
            touch(p);
        }
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
        assert(false); /* mail for the host in a shard's inbox */
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

/* Brings a touched peer's socket, timer and life in line with its conn. */
static void settle(struct peer *p)
{
    conn_flush(p->conn);
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

static void settle_all(struct shard *s)
{
    struct list now = s->dirty;
    if (list_is_empty(&s->dirty))
        return;
    now.next->prev = now.prev->next = &now;
    list_init(&s->dirty);
    while (!list_is_empty(&now)) {
        struct peer *p = LIST_ENTRY(now.next, struct peer, dirty);
        list_remove(&p->dirty);
        settle(p);
    }
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
    if (!mailbox_is_empty(s->setup.inbox))
        mailbox_take(s->setup.inbox, &s->mail);
    for (struct mail *m; (m = batch_next(&s->mail, &at));)
        carry_out(s, m);
    s->mail.buf.len = 0;
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
    buf_deinit(&s->mail.buf);
    buf_deinit(&s->up.buf);
    buf_deinit(&s->protocols);
    frame_unref(s->env.ping);
    deflate_free(s->env.deflate);
    free(s->slots);
    free(s);
}
