/* shard: one ev_io a connection, one timer for all of them; the waits of one kind last
 * equally long, so a list a kind is in order of deadlines by itself. Longer than other
 * files: it is the one place where watchers, mail and connections meet. */
#include "room/shard.h"

#include "net/gate.h"
#include "net/tls.h"
#include "room/broadcast.h"
#include "base/clock.h"
#include "room/writer.h"
#include "wire/close.h"
#include "wire/header.h"

#include <assert.h>
#include <ev.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SCRATCH_BYTES = 64 * 1024,
    UP_BATCH_BYTES = 256 * 1024, /* posted within a turn when it grows larger */
    SUBJECT_MAX = 1024,          /* of a client's certificate */
    READS_A_TURN = 16, /* of one peer, while its stream says that more is inside */
};

static const double RETRY_SECONDS = 0.1;

/* A peer with its socket. */
struct link {
    struct peer peer;
    ev_io io;
    struct list wait; /* in the list of its wait's kind */
    double deadline;
    struct stream tcp; /* of a connection that is not encrypted */
};

struct shard {
    struct shard_setup setup;
    struct conn_env env;
    struct batch mail; /* taken from the inbox */
    struct batch up;   /* for the host */
    struct slots peers;
    struct broadcast broadcast;
    struct writer writer;
    struct buf protocols, routes; /* what env.protocols and env.routes point to */
    struct list waits[CONN_WAIT_KINDS];
    ev_timer tick;
    uint32_t open; /* peers that opened or asked, and whose end was not told yet */
    time_t dated;  /* what env.date says */
    bool held;     /* the host's inbox is full: sockets are not read */
    bool hurried;  /* MAIL_ABORT has come */
    bool drained;  /* MAIL_DRAINED was posted */
    uint8_t scratch[SCRATCH_BYTES];
};

/* --- peers --------------------------------------------------------------- */

static struct link *link_of(struct peer *p)
{
    return LIST_ENTRY(p, struct link, peer);
}

static struct peer *peer_of(struct conn *c)
{
    return LIST_ENTRY(c, struct peer, conn);
}

static struct shard *shard_of(const struct peer *p)
{
    return LIST_ENTRY(p->conn.env, struct shard, env);
}

static void touch(struct peer *p)
{
    writer_touch(&shard_of(p)->writer, p);
}

static void post_up(struct shard *s)
{
    /* Without memory the mail stays in the batch and goes with the next turn's. */
    (void)mailbox_post(s->setup.host, &s->up);
}

static void keep_time(struct shard *s)
{
    s->env.now_ms = (uint64_t)(clock_now() * 1000);
    time_t now = time(NULL); /* for people: what answers are dated with */
    if (now == s->dated)
        return;
    s->dated = now;
    answer_date(now, s->env.date);
}

static void read_peer(struct peer *p)
{
    struct shard *s = shard_of(p);
    if (s->up.buf.len > UP_BATCH_BYTES)
        post_up(s);
    if (s->held || mailbox_is_full(s->setup.host)) {
        s->held = true;
        ev_io_stop(s->setup.loop, &link_of(p)->io);
        return;
    }
    for (int i = 0; i < READS_A_TURN; i++)
        if (!conn_read(&p->conn, s->scratch, sizeof s->scratch))
            return;
    ev_feed_event(s->setup.loop, &link_of(p)->io, EV_READ);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop;
    struct peer *p = &LIST_ENTRY(w, struct link, io)->peer;
    keep_time(shard_of(p));
    if ((revents & EV_READ) || conn_wants_read_retry(&p->conn))
        read_peer(p);
    touch(p);
}

static void accept_peer(struct shard *s, const struct mail *m)
{
    struct link *l = calloc(1, sizeof *l);
    struct stream *stream = NULL;
    if (l && m->accept.tls) {
        stream = stream_tls_new(s->setup.tls, m->accept.fd);
    } else if (l) {
        stream = &l->tcp;
        stream_tcp_init(stream, m->accept.fd);
    }
    if (!stream)
        goto fail;
    if (slots_add(&s->peers, s->setup.index, &l->peer) < 0)
        goto fail;
    conn_init(&l->peer.conn, &s->env, stream, &m->accept.addr);
    list_init(&l->wait);
    list_init(&l->peer.dirty);
    ev_io_init(&l->io, on_io, stream->fd, EV_READ);
    touch(&l->peer);
    return;
fail:
    gate_leave(s->setup.gate, &m->accept.addr);
    log_warn(s->setup.log, "connection refused: out of memory or of slots shard=%u",
             s->setup.index);
    if (stream)
        stream->ops->free(stream);
    else
        close(m->accept.fd);
    free(l);
}

static void reap(struct link *l)
{
    struct shard *s = shard_of(&l->peer);
    list_remove(&l->wait);
    list_remove(&l->peer.dirty);
    ev_io_stop(s->setup.loop, &l->io);
    ev_clear_pending(s->setup.loop, &l->io);
    broadcast_leave_all(&s->broadcast, id_slot(l->peer.id));
    slots_remove(&s->peers, &l->peer);
    gate_leave(s->setup.gate, conn_addr(&l->peer.conn));
    conn_deinit(&l->peer.conn);
    free(l);
}

/* --- mail up ------------------------------------------------------------- */

/* Posts mail of `kind` about a request: its head, and `tail` behind what its peer's
 * certificate says. Returns 0 or -1. */
static int post_request(struct peer *p, enum mail_kind kind, struct bytes head,
                        struct bytes tail)
{
    const struct stream *stream = conn_stream(&p->conn);
    struct mail m = {.kind = kind, .id = p->id};
    char subject[SUBJECT_MAX];
    m.open.addr = *conn_addr(&p->conn);
    m.open.secure = stream->secure;
    m.open.head_len = (uint32_t)head.len;
    struct buf all = {0};
    int result = buf_append(&all, head);
    if (result == 0 && stream->ops->subject &&
        stream->ops->subject(stream, subject, sizeof subject))
        result = buf_append(&all, bytes_of(subject));
    m.open.subject_len = (uint32_t)(all.len - head.len);
    if (result == 0)
        result = buf_append(&all, tail);
    if (result == 0)
        result = batch_add(&shard_of(p)->up, &m, buf_bytes(&all));
    buf_deinit(&all);
    if (result == 0)
        shard_of(p)->open++;
    return result;
}

static int on_open(struct conn *conn, struct bytes head, struct bytes protocol)
{
    struct peer *p = peer_of(conn);
    if (post_request(p, MAIL_OPEN, head, protocol) < 0)
        return -1;
    p->opened = true;
    stats_add(&shard_of(p)->setup.stats->connections, 1);
    return 0;
}

static int on_request(struct conn *conn, struct bytes head, struct bytes body)
{
    struct peer *p = peer_of(conn);
    if (post_request(p, MAIL_REQUEST, head, body) < 0)
        return -1;
    p->asked = true;
    return 0;
}

static bool on_client(struct conn *conn, const struct addr *client)
{
    struct shard *s = shard_of(peer_of(conn));
    enum gate_answer answer =
        gate_change(s->setup.gate, conn_addr(conn), client, s->env.now_ms);
    if (answer == GATE_OPEN)
        return true;
    stats_add(&s->setup.stats->turned_away, 1);
    limit_reached(s->setup.stats->limits, gate_limit(answer), client, s->env.now_ms,
                  s->setup.log);
    return false;
}

static int on_message(struct conn *conn, struct bytes data, bool binary)
{
    struct peer *p = peer_of(conn);
    struct mail m = {.kind = MAIL_MESSAGE, .id = p->id, .binary = binary};
    return batch_add(&shard_of(p)->up, &m, data);
}

/* Posts MAIL_GIVEN_UP once nobody waits for a response. False when memory is out. */
static bool tell_given_up(struct peer *p)
{
    if (!p->asked || conn_awaits_response(&p->conn))
        return true;
    struct mail m = {.kind = MAIL_GIVEN_UP, .id = p->id};
    if (batch_add(&shard_of(p)->up, &m, (struct bytes){0}) < 0)
        return false;
    p->asked = false;
    shard_of(p)->open--;
    return true;
}

/* Posts MAIL_CLOSED once. False when memory is out: the peer stays dirty and it is tried
 * again. */
static bool tell_end(struct peer *p)
{
    struct shard *s = shard_of(p);
    struct mail m = {.kind = MAIL_CLOSED, .id = p->id};
    struct bytes reason;
    if (!p->opened || p->told || !conn_is_over(&p->conn, &m.code, &reason))
        return true;
    if (batch_add(&s->up, &m, reason) < 0)
        return false;
    p->told = true;
    s->open--;
    stats_add(&s->setup.stats->connections, (uint64_t)-1);
    broadcast_leave_all(&s->broadcast, id_slot(p->id));
    return true;
}

/* --- mail down ----------------------------------------------------------- */

static void join(struct peer *p, uint64_t room)
{
    if (p->told || broadcast_join(&shard_of(p)->broadcast, room, id_slot(p->id)) == 0)
        return;
    /* It would miss what its room is told: better that it comes back. */
    conn_close(&p->conn, WS_CLOSE_INTERNAL, bytes_of("out of memory"));
    touch(p);
}

/* Mail that is about one peer: what its rooms were sent before comes first. */
static void carry_to_peer(struct peer *p, const struct mail *m)
{
    struct broadcast *b = &shard_of(p)->broadcast;
    broadcast_close_of(b, id_slot(p->id));
    if (m->kind == MAIL_SEND) {
        writer_send(&shard_of(p)->writer, p, m->frame);
    } else if (m->kind == MAIL_JOIN) {
        join(p, m->room);
    } else if (m->kind == MAIL_LEAVE) {
        broadcast_leave(b, m->room, id_slot(p->id));
    } else {
        conn_close(&p->conn, m->code, mail_bytes(m));
        touch(p);
    }
}

/* MAIL_RESPONSE: what the rules answer. */
static void respond(struct peer *p, const struct mail *m)
{
    struct answer a = {.status = m->status, .type = (const char *)mail_bytes(m).at};
    a.body = bytes_skip(mail_bytes(m), strlen(a.type) + 1);
    a.fields = (const char *)a.body.at;
    a.body = bytes_skip(a.body, strlen(a.fields) + 1);
    a.type = *a.type ? a.type : NULL;
    shard_of(p)->open--;
    p->asked = false;
    conn_respond(&p->conn, &a);
    touch(p);
}

/* Takes over what the rules say of themselves. */
static struct bytes keep_list(struct shard *s, struct buf *list, const struct mail *m)
{
    list->len = 0;
    if (buf_append(list, mail_bytes(m)) < 0)
        log_error(s->setup.log, "subprotocols and routes not taken over: out of memory");
    return buf_bytes(list);
}

/* Ends every WebSocket connection, politely or at once. */
static void drain(struct shard *s, bool politely)
{
    s->env.is_draining = true;
    s->hurried = !politely;
    broadcast_close_due(&s->broadcast, INFINITY);
    for (uint32_t i = 0; i < s->peers.count; i++) {
        struct peer *p = slots_at(&s->peers, i);
        if (!p)
            continue;
        touch(p);
        conn_give_up_request(&p->conn, !politely);
        if (!p->opened)
            continue;
        conn_close(&p->conn, WS_CLOSE_GOING_AWAY, bytes_of("server stopping"));
        if (!politely)
            conn_abort(&p->conn);
    }
}

static void carry_out(struct shard *s, const struct mail *m)
{
    struct peer *p = slots_find(&s->peers, m->id);
    switch (m->kind) {
    case MAIL_SEND:
    case MAIL_JOIN:
    case MAIL_LEAVE:
    case MAIL_CLOSE:
        if (p)
            carry_to_peer(p, m);
        if (m->kind == MAIL_SEND)
            outframe_unref(m->frame);
        break;
    case MAIL_BROADCAST:
        broadcast_send(&s->broadcast, m->room, m->id, m->frame);
        outframe_unref(m->frame);
        break;
    case MAIL_ADMIT:
        if (p)
            p->admitted = true;
        break;
    case MAIL_PAUSE:
    case MAIL_RESUME:
        if (p) {
            conn_pause(&p->conn, m->kind == MAIL_PAUSE);
            touch(p);
        }
        break;
    case MAIL_PROTOCOLS:
        s->env.protocols = keep_list(s, &s->protocols, m);
        break;
    case MAIL_ROUTES:
        s->env.routes = keep_list(s, &s->routes, m);
        break;
    case MAIL_RESPONSE:
        if (p && p->asked)
            respond(p, m);
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
    case MAIL_REQUEST:
    case MAIL_GIVEN_UP:
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

static void watch(struct link *l)
{
    struct shard *s = shard_of(&l->peer);
    const struct conn *c = &l->peer.conn;
    int events =
        (conn_wants_read(c) && !s->held ? EV_READ : 0) |
        (conn_wants_write(c) && !(s->held && conn_wants_read_retry(c)) ? EV_WRITE : 0);
    if (ev_is_active(&l->io) ? l->io.events == events : events == 0)
        return;
    ev_io_stop(s->setup.loop, &l->io);
    ev_io_modify(&l->io, events);
    if (events)
        ev_io_start(s->setup.loop, &l->io);
}

static void rearm(struct link *l)
{
    bool restarted;
    enum conn_wait wait = conn_wait(&l->peer.conn, &restarted);
    if (!restarted)
        return;
    struct shard *s = shard_of(&l->peer);
    l->deadline = clock_now() + s->setup.wait[wait];
    list_remove(&l->wait);
    list_add_tail(&s->waits[wait], &l->wait);
}

/* Brings a peer's socket, timer and life in line with its conn, after what it had to
 * write was written. */
static void settle(struct peer *p)
{
    struct link *l = link_of(p);
    if (!tell_given_up(p) || !tell_end(p)) {
        touch(p);
        return;
    }
    if (conn_is_dead(&p->conn)) {
        reap(l);
        return;
    }
    rearm(l);
    watch(l);
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
        struct list *wait = s->waits[CONN_WAIT_PONG].next;
        list_remove(wait);
        list_add_tail(&again, wait);
    }
    while (!list_is_empty(&again)) {
        struct link *l = LIST_ENTRY(again.next, struct link, wait);
        list_remove(&l->wait);
        l->deadline = clock_now() + s->setup.wait[CONN_WAIT_PONG];
        list_add_tail(&s->waits[CONN_WAIT_PONG], &l->wait);
    }
    for (uint32_t i = 0; i < s->peers.count; i++)
        if (slots_at(&s->peers, i))
            watch(link_of(slots_at(&s->peers, i)));
}

/* Sets the timer for the earliest deadline. */
static void set_tick(struct shard *s)
{
    /* What memory was too short for is tried again soon. */
    double first = s->up.buf.len || !list_is_empty(&s->writer.dirty)
                       ? clock_now() + RETRY_SECONDS
                       : 0;
    for (int i = 0; i < CONN_WAIT_KINDS; i++) {
        if (list_is_empty(&s->waits[i]) || (s->held && i == CONN_WAIT_PONG))
            continue;
        double d = LIST_ENTRY(s->waits[i].next, struct link, wait)->deadline;
        first = first == 0 || d < first ? d : first;
    }
    double next = broadcast_next(&s->broadcast);
    if (next != 0 && (first == 0 || next < first))
        first = next;
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
            struct link *l = LIST_ENTRY(s->waits[i].next, struct link, wait);
            if (l->deadline > now)
                break;
            list_remove(&l->wait);
            conn_timeout(&l->peer.conn);
            touch(&l->peer);
        }
    }
}

/* Nobody is left to wait for: no client whose end the host awaits and, unless the server
 * is in a hurry, no answer that is leaving. */
static bool is_drained(const struct shard *s)
{
    if (!s->env.is_draining || s->open > 0)
        return false;
    for (uint32_t i = 0; i < s->peers.count && !s->hurried; i++) {
        struct peer *p = slots_at(&s->peers, i);
        if (p && conn_is_answering(&p->conn))
            return false;
    }
    return true;
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
    if (broadcast_waits(&s->broadcast))
        broadcast_close_due(&s->broadcast, clock_now());
    writer_run(&s->writer);
    struct mail drained = {.kind = MAIL_DRAINED};
    if (!s->drained && is_drained(s))
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
        .messages = setup->messages,
        .queue_max = setup->queue_max,
        .held = {.sum = setup->held},
        .drop_when_slow = setup->drop_when_slow,
        .body_max = setup->body_max,
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
        .ping = outframe_new(WS_PING, (struct bytes){0}),
        .on_open = on_open,
        .on_message = on_message,
        .on_request = on_request,
    };
    s->env.deflate = setup->deflate ? deflate_new(setup->deflate_min) : NULL;
    if (!s->env.ping || (setup->deflate && !s->env.deflate)) {
        outframe_unref(s->env.ping);
        free(s);
        return NULL;
    }
    for (int i = 0; i < CONN_WAIT_KINDS; i++)
        list_init(&s->waits[i]);
    slots_init(&s->peers);
    writer_init(&s->writer, setup->stats, settle);
    broadcast_init(&s->broadcast, &s->peers, &s->writer, &s->env);
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
            outframe_unref(m->frame);
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
    for (uint32_t i = 0; i < s->peers.count; i++)
        if (slots_at(&s->peers, i))
            reap(link_of(slots_at(&s->peers, i)));
    ev_timer_stop(s->setup.loop, &s->tick);
    broadcast_deinit(&s->broadcast);
    writer_deinit(&s->writer);
    buf_deinit(&s->mail.buf);
    buf_deinit(&s->up.buf);
    buf_deinit(&s->protocols);
    buf_deinit(&s->routes);
    outframe_unref(s->env.ping);
    deflate_free(s->env.deflate);
    slots_deinit(&s->peers);
    free(s);
}
