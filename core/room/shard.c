/* shard: one ev_io a peer, one timer for all of them. The one place where sockets, mail
 * and peers meet: what a mail says is carried out here, by the parts that do it. */
#include "room/shard.h"

#include "net/gate.h"
#include "net/tls.h"
#include "base/clock.h"
#include "room/deadlines.h"
#include "room/downlink.h"

#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SCRATCH_BYTES = 64 * 1024,
    READS_A_TURN = 16, /* of one peer, while its stream says that more is inside */
};

static const double RETRY_SECONDS = 0.1;

/* A peer with its socket. */
struct watched {
    struct peer peer;
    ev_io io;
    struct stream tcp; /* of a connection that is not encrypted */
};

struct shard {
    struct shard_setup setup;
    struct conn_env env;
    struct batch mail; /* taken from the inbox */
    struct slots peers;
    struct broadcast broadcast;
    struct writer writer;
    struct uplink uplink;     /* to the host */
    struct downlink downlink; /* from it */
    struct deadlines deadlines;
    ev_timer tick;
    double tick_at; /* when it fires, while it is active */
    uint64_t dated; /* the second for which env.date was made */
    uint8_t scratch[SCRATCH_BYTES];
};

/* --- peers --------------------------------------------------------------- */

static struct watched *watched_of(struct peer *p)
{
    return LIST_ENTRY(p, struct watched, peer);
}

static struct shard *shard_of(const struct peer *p)
{
    return LIST_ENTRY(p->conn.env, struct shard, env);
}

static void touch(struct peer *p)
{
    writer_touch(&shard_of(p)->writer, p);
}

static void keep_time(struct shard *s)
{
    s->env.now_ms = clock_ms();
    if (s->env.now_ms / 1000 == s->dated)
        return;
    s->dated = s->env.now_ms / 1000;
    answer_date(time(NULL), s->env.date); /* for people: what answers are dated with */
}

static void read_peer(struct peer *p)
{
    struct shard *s = shard_of(p);
    ev_io *io = &watched_of(p)->io;
    if (!uplink_may_read(&s->uplink)) {
        ev_io_stop(s->setup.loop, io);
        return;
    }
    for (int i = 0; i < READS_A_TURN; i++)
        if (!conn_read(&p->conn, s->scratch, sizeof s->scratch))
            return;
    ev_feed_event(s->setup.loop, io, EV_READ);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop;
    struct peer *p = &LIST_ENTRY(w, struct watched, io)->peer;
    keep_time(shard_of(p));
    if ((revents & EV_READ) || conn_wants_read_retry(&p->conn))
        read_peer(p);
    touch(p);
}

static void accept_peer(struct shard *s, const struct mail *m)
{
    struct watched *w = calloc(1, sizeof *w);
    struct stream *stream = NULL;
    if (w && m->accept.tls) {
        stream = stream_tls_new(s->setup.tls, m->accept.fd);
    } else if (w) {
        stream = &w->tcp;
        stream_tcp_init(stream, m->accept.fd);
    }
    if (!stream)
        goto fail;
    w->peer.id = slots_give(&s->peers, s->setup.index, &w->peer);
    if (w->peer.id == 0)
        goto fail;
    conn_init(&w->peer.conn, &s->env, stream, &m->accept.addr);
    list_init(&w->peer.wait);
    list_init(&w->peer.dirty);
    ev_io_init(&w->io, on_io, stream->fd, EV_READ);
    touch(&w->peer);
    return;
fail:
    gate_leave(s->setup.gate, &m->accept.addr);
    log_warn(s->setup.log, "connection refused: out of memory or of slots shard=%u",
             s->setup.index);
    if (stream)
        stream->ops->free(stream);
    else
        close(m->accept.fd);
    free(w);
}

/* The end of a peer: its slot may be given to another. */
static void reap(struct peer *p)
{
    struct shard *s = shard_of(p);
    struct watched *w = watched_of(p);
    waits_end(p);
    uplink_forget(p);
    list_remove(&p->dirty);
    ev_io_stop(s->setup.loop, &w->io);
    ev_clear_pending(s->setup.loop, &w->io);
    broadcast_leave_all(&s->broadcast, id_slot(p->id));
    slots_take_back(&s->peers, p->id);
    gate_leave(s->setup.gate, conn_addr(&p->conn));
    conn_deinit(&p->conn);
    free(w);
}

/* --- what a conn tells ---------------------------------------------------- */

static int on_open(struct conn *conn, struct bytes head, struct bytes protocol)
{
    struct peer *p = peer_of(conn);
    return uplink_open(&shard_of(p)->uplink, p, head, protocol);
}

static int on_request(struct conn *conn, struct bytes head, struct bytes body)
{
    struct peer *p = peer_of(conn);
    return uplink_request(&shard_of(p)->uplink, p, head, body);
}

static int on_message(struct conn *conn, struct bytes data, bool binary)
{
    struct peer *p = peer_of(conn);
    return uplink_message(&shard_of(p)->uplink, p, data, binary);
}

static int on_fault(struct conn *conn, uint16_t code, struct bytes reason)
{
    struct peer *p = peer_of(conn);
    return uplink_fault(&shard_of(p)->uplink, p, code, reason);
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

/* --- the turn ------------------------------------------------------------ */

/* Which events of its socket a peer is told of. */
static void watch(struct peer *p)
{
    struct shard *s = shard_of(p);
    const struct conn *c = &p->conn;
    ev_io *io = &watched_of(p)->io;
    bool held = s->uplink.held;
    int events =
        (conn_wants_read(c) && !held ? EV_READ : 0) |
        (conn_wants_write(c) && !(held && conn_wants_read_retry(c)) ? EV_WRITE : 0);
    if (ev_is_active(io) ? io->events == events : events == 0)
        return;
    ev_io_stop(s->setup.loop, io);
    ev_io_modify(io, events);
    if (events)
        ev_io_start(s->setup.loop, io);
}

static void rearm(struct peer *p)
{
    bool restarted;
    enum conn_wait wait = conn_wait(&p->conn, &restarted);
    if (restarted)
        waits_begin(&shard_of(p)->deadlines.waits, p, wait, clock_now());
}

/* Brings a peer's socket, timer and life in line with its conn, after what it had to
 * write was written. */
static void settle(struct peer *p)
{
    struct shard *s = shard_of(p);
    bool was_told = p->told;
    if (!uplink_tell_end(&s->uplink, p)) {
        touch(p);
        return;
    }
    if (p->told && !was_told)
        broadcast_leave_all(&s->broadcast, id_slot(p->id));
    if (conn_is_dead(&p->conn)) {
        reap(p);
        return;
    }
    rearm(p);
    watch(p);
}

/* The host has room again: reads where reading had stopped. */
static void release(struct shard *s)
{
    if (!uplink_release(&s->uplink))
        return;
    for (uint32_t i = 0; i < s->peers.count; i++)
        if (slots_at(&s->peers, i))
            watch(slots_at(&s->peers, i));
}

/* The earlier of two times; 0: never. */
static double earlier(double a, double b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Sets the timer for the earliest deadline. */
static void set_tick(struct shard *s)
{
    double first = earlier(broadcast_next(&s->broadcast), deadlines_first(&s->deadlines));
    /* What memory was too short for is tried again soon. */
    if (uplink_waits(&s->uplink) || !list_is_empty(&s->writer.dirty))
        first = earlier(first, clock_now() + RETRY_SECONDS);
    if (first == 0 || (ev_is_active(&s->tick) && s->tick_at <= first))
        return;
    double now = clock_now();
    s->tick_at = first;
    ev_timer_stop(s->setup.loop, &s->tick);
    ev_timer_set(&s->tick, first > now ? first - now : 0, 0);
    ev_timer_start(s->setup.loop, &s->tick);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    (void)loop;
    struct shard *s = w->data;
    keep_time(s);
    deadlines_judge(&s->deadlines, clock_now());
}

/* Nobody is left to wait for: no client whose end the host awaits and, unless the server
 * is in a hurry, no answer that is leaving. */
static bool is_drained(const struct shard *s)
{
    if (!s->env.is_draining || s->uplink.open > 0)
        return false;
    for (uint32_t i = 0; i < s->peers.count && !s->downlink.hurried; i++) {
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
        if (m->kind == MAIL_ACCEPT)
            accept_peer(s, m);
        else
            downlink_carry_out(&s->downlink, m);
    s->mail.buf.len = 0;
    if (broadcast_waits(&s->broadcast))
        broadcast_close_due(&s->broadcast, clock_now());
    writer_run(&s->writer);
    if (!s->uplink.drained && is_drained(s))
        uplink_tell_drained(&s->uplink);
    uplink_post(&s->uplink);
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
        .hosts = setup->hosts,
        .host_count = setup->host_count,
        .hsts = setup->hsts,
        .trusted = setup->trusted,
        .trusted_count = setup->trusted_count,
        .on_client = on_client,
        .page = setup->page,
        .stats = setup->stats,
        .log = setup->log,
        .ping = outframe_new(WS_PING, (struct bytes){0}),
        .on_open = on_open,
        .on_message = on_message,
        .on_fault = on_fault,
        .on_request = on_request,
    };
    s->env.deflate = setup->deflate ? deflate_new(setup->deflate_min) : NULL;
    if (!s->env.ping || (setup->deflate && !s->env.deflate)) {
        outframe_unref(s->env.ping);
        free(s);
        return NULL;
    }
    uplink_init(&s->uplink, setup->host, setup->stats);
    s->deadlines = (struct deadlines){.uplink = &s->uplink,
                                      .writer = &s->writer,
                                      .scratch = s->scratch,
                                      .scratch_size = sizeof s->scratch};
    waits_init(&s->deadlines.waits, setup->wait);
    slots_init(&s->peers);
    writer_init(&s->writer, setup->stats, settle);
    broadcast_init(&s->broadcast, &s->peers, &s->writer, &s->env);
    s->downlink = (struct downlink){.peers = &s->peers,
                                    .broadcast = &s->broadcast,
                                    .writer = &s->writer,
                                    .uplink = &s->uplink,
                                    .env = &s->env};
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
            reap(slots_at(&s->peers, i));
    ev_timer_stop(s->setup.loop, &s->tick);
    broadcast_deinit(&s->broadcast);
    writer_deinit(&s->writer);
    buf_deinit(&s->mail.buf);
    uplink_deinit(&s->uplink);
    downlink_deinit(&s->downlink);
    outframe_unref(s->env.ping);
    deflate_free(s->env.deflate);
    slots_deinit(&s->peers);
    free(s);
}
