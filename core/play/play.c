/* play: one turn after the other, until nothing is left to do at this instant. Longer
 * than other files: it stands in for shards, sockets and services at once. */
#include "play/play.h"

#include "base/id.h"
#include "play/players.h"
#include "room/topic.h"
#include "wire/close.h"
#include "wire/outframe.h"

#include <stdlib.h>
#include <string.h>

enum {
    INBOX_BYTES = 64 * 1024 * 1024,
    STEADY_BEGIN = 1000, /* another time than on the wall clock, as on all machines: rules
                          * that take one for the other fail here, too */
};

struct play {
    struct host *host;
    struct host_setup setup;
    struct stats stats;
    struct log log;
    struct buf lines, taken_lines;
    struct mailbox inbox, shard; /* the host's, and the one that we stand in for */
    struct mailbox services;
    struct batch asked; /* what services were asked and have not answered */
    size_t asked_at;    /* bytes of it that play_asked has given */
    atomic_bool is_draining;
    struct batch mail;
    struct topics topics;
    struct players players;
    struct buf protocols;
    double now;   /* on the steady clock */
    double ahead; /* so much later it is on the wall clock */
    bool no_memory;
};

static void wake(void *ctx)
{
    (void)ctx; /* the next turn looks by itself */
}

static void write_line(void *ctx, enum log_level level, const char *line)
{
    struct play *p = ctx;
    if (buf_append(&p->lines, bytes_of(log_level_name(level))) < 0 ||
        buf_append(&p->lines, bytes_of(" ")) < 0 ||
        buf_append(&p->lines, (struct bytes){(const uint8_t *)line, strlen(line) + 1}) <
            0)
        p->no_memory = true;
}

struct play *play_new(const struct host_setup *setup)
{
    struct play *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->setup = *setup;
    p->now = p->setup.now = STEADY_BEGIN;
    p->ahead = setup->wall - STEADY_BEGIN;
    p->log = (struct log){.level = LOG_DEBUG, .sink = write_line, .ctx = p};
    mailbox_init(&p->inbox, INBOX_BYTES, wake, wake, p);
    mailbox_init(&p->shard, INBOX_BYTES, wake, wake, p);
    mailbox_init(&p->services, INBOX_BYTES, wake, wake, p);
    topics_init(&p->topics);
    players_init(&p->players);
    p->setup.log = &p->log;
    p->setup.stats = &p->stats;
    p->setup.inbox = &p->inbox;
    p->setup.shards = &p->shard;
    p->setup.shard_count = 1;
    p->setup.services = &p->services;
    p->setup.is_draining = &p->is_draining;
    p->host = host_new(&p->setup);
    if (!p->host) {
        play_free(p);
        return NULL;
    }
    return p;
}

void play_free(struct play *p)
{
    if (!p)
        return;
    host_free(p->host);
    mailbox_deinit(&p->inbox);
    mailbox_deinit(&p->shard);
    mailbox_deinit(&p->services);
    buf_deinit(&p->asked.buf);
    topics_deinit(&p->topics);
    players_deinit(&p->players);
    buf_deinit(&p->mail.buf);
    buf_deinit(&p->lines);
    buf_deinit(&p->taken_lines);
    buf_deinit(&p->protocols);
    free(p);
}

/* --- in the shard's place ------------------------------------------------ */

static void post(struct play *p, const struct mail *m, struct bytes bytes)
{
    struct batch b = {0};
    if (batch_add(&b, m, bytes) < 0 || mailbox_post(&p->inbox, &b) < 0)
        p->no_memory = true;
    buf_deinit(&b.buf);
}

static void hear(struct play *p, struct player *player, const struct outframe *f)
{
    if (player && player_hear(player, f) < 0)
        p->no_memory = true;
}

static void hear_all(struct play *p, const struct mail *m)
{
    struct topic *topic = m->room ? topic_find(&p->topics, m->room) : NULL;
    uint32_t n = m->room ? (topic ? topic->count : 0) : p->players.count;
    for (uint32_t i = 0; i < n; i++) {
        struct player *player = topic
                                    ? slots_at(&p->players.slots, topic_member(topic, i))
                                    : p->players.all[i];
        if ((topic || player->admitted) && player->id != m->id)
            hear(p, player, m->frame);
    }
}

/* The connection is closed, and its peer has answered. */
static void close_player(struct play *p, struct player *player, uint16_t code,
                         struct bytes reason)
{
    struct mail m = {.kind = MAIL_CLOSED, .id = player->id, .code = code};
    topic_remove_all(&p->topics, id_slot(player->id));
    players_give_up(&p->players, player);
    post(p, &m, reason);
}

static void close_by_server(struct play *p, struct player *player, uint16_t code,
                            struct bytes reason)
{
    player->code = code;
    if (buf_append(&player->reason, reason) < 0)
        p->no_memory = true;
    close_player(p, player, code, reason);
}

static void drain(struct play *p)
{
    struct mail drained = {.kind = MAIL_DRAINED};
    for (uint32_t i = 0; i < p->players.count; i++)
        if (!p->players.all[i]->gone && !p->players.all[i]->is_request)
            close_by_server(p, p->players.all[i], WS_CLOSE_GOING_AWAY, (struct bytes){0});
    post(p, &drained, (struct bytes){0});
}

static void respond(struct play *p, struct player *player, const struct mail *m)
{
    player->code = m->status;
    if (buf_append(&player->response, mail_bytes(m)) < 0)
        p->no_memory = true;
    players_give_up(&p->players, player);
}

static void handle(struct play *p, const struct mail *m)
{
    struct player *player = players_find(&p->players, m->id);
    switch (m->kind) {
    case MAIL_SEND:
        hear(p, player, m->frame);
        outframe_unref(m->frame);
        break;
    case MAIL_BROADCAST:
        hear_all(p, m);
        outframe_unref(m->frame);
        break;
    case MAIL_JOIN:
        if (player && topic_add(&p->topics, m->room, id_slot(m->id)) < 0)
            p->no_memory = true;
        break;
    case MAIL_LEAVE:
        if (player)
            topic_remove(&p->topics, m->room, id_slot(m->id));
        break;
    case MAIL_CLOSE:
        if (player)
            close_by_server(p, player, m->code, mail_bytes(m));
        break;
    case MAIL_ADMIT:
        if (player)
            player->admitted = true;
        break;
    case MAIL_PROTOCOLS:
        p->protocols.len = 0;
        if (buf_append(&p->protocols, mail_bytes(m)) < 0)
            p->no_memory = true;
        break;
    case MAIL_RESPONSE:
        if (player)
            respond(p, player, m);
        break;
    case MAIL_DRAIN:
        drain(p);
        break;
    case MAIL_ROUTES: /* the host says itself what it does not know */
    case MAIL_PAUSE:  /* nobody is read here: what clients say is handled at once */
    case MAIL_RESUME:
    case MAIL_FETCH:
    case MAIL_FETCH_CANCEL:
    case MAIL_FETCHED:
    case MAIL_ACCEPT:
    case MAIL_ABORT:
    case MAIL_OPEN:
    case MAIL_REQUEST:
    case MAIL_GIVEN_UP:
    case MAIL_MESSAGE:
    case MAIL_FAULT:
    case MAIL_CLOSED:
    case MAIL_DRAINED:
    case MAIL_RELOAD:
    case MAIL_POST:
        break;
    }
}

/* Services are asked from now on: whoever plays them says what they answer. */
static void take_asked(struct play *p)
{
    size_t at = 0;
    if (mailbox_is_empty(&p->services))
        return;
    mailbox_take(&p->services, &p->mail);
    for (struct mail *m; (m = batch_next(&p->mail, &at));)
        if (m->kind == MAIL_FETCH && batch_add(&p->asked, m, mail_bytes(m)) < 0)
            p->no_memory = true;
    p->mail.buf.len = 0;
}

/* Turns until nothing is left to do now. Returns 0, or -1: there is always more. */
static int settle(struct play *p)
{
    for (int turns = 0; turns < PLAY_TURNS_MAX; turns++) {
        bool more = host_turn(p->host, p->now, play_now(p));
        size_t at = 0;
        mailbox_take(&p->shard, &p->mail);
        for (struct mail *m; (m = batch_next(&p->mail, &at));)
            handle(p, m);
        p->mail.buf.len = 0;
        p->mail.weight = 0;
        take_asked(p);
        double next = host_next(p->host);
        if (!more && mailbox_is_empty(&p->inbox) && (next == 0 || next > p->now))
            return p->no_memory ? -1 : 0;
    }
    return -1;
}

/* --- what clients and the day do ----------------------------------------- */

int play_load(struct play *p, struct bytes source)
{
    int result = host_load_text(p->host, source);
    return settle(p) < 0 ? -1 : result;
}

/* A request comes, with `tail` behind it. Returns its sender's number, or -1. */
static int64_t arrive(struct play *p, enum mail_kind kind, struct bytes head,
                      const struct addr *addr, bool secure, struct bytes subject,
                      struct bytes tail)
{
    struct mail m = {.kind = kind,
                     .open = {.addr = *addr,
                              .secure = secure,
                              .head_len = (uint32_t)head.len,
                              .subject_len = (uint32_t)subject.len}};
    struct buf all = {0};
    struct player *player;
    if (buf_append(&all, head) < 0 || buf_append(&all, subject) < 0 ||
        buf_append(&all, tail) < 0 || p->players.count == PLAY_CLIENTS_MAX ||
        !(player = players_add(&p->players, kind == MAIL_REQUEST))) {
        buf_deinit(&all);
        return -1;
    }
    m.id = player->id;
    post(p, &m, buf_bytes(&all));
    buf_deinit(&all);
    return p->players.count - 1;
}

int64_t play_open(struct play *p, struct bytes head, const struct addr *addr, bool secure,
                  struct bytes subject, struct bytes protocol)
{
    return arrive(p, MAIL_OPEN, head, addr, secure, subject, protocol);
}

int64_t play_request(struct play *p, struct bytes head, const struct addr *addr,
                     bool secure, struct bytes body)
{
    return arrive(p, MAIL_REQUEST, head, addr, secure, (struct bytes){0}, body);
}

int play_response(const struct play *p, int64_t request, struct bytes *response)
{
    *response = buf_bytes(&p->players.all[request]->response);
    return p->players.all[request]->code;
}

void play_message(struct play *p, int64_t client, struct bytes text, bool binary)
{
    struct mail m = {.kind = MAIL_MESSAGE, .id = play_id(p, client), .binary = binary};
    if (!p->players.all[client]->gone)
        post(p, &m, text);
}

void play_hang_up(struct play *p, int64_t client, uint16_t code, struct bytes reason)
{
    if (!p->players.all[client]->gone)
        close_player(p, p->players.all[client], code, reason);
}

bool play_hear(struct play *p, int64_t client, struct bytes *text, bool *binary)
{
    return player_take(p->players.all[client], text, binary);
}

uint16_t play_closed(const struct play *p, int64_t client, struct bytes *reason)
{
    *reason = buf_bytes(&p->players.all[client]->reason);
    return p->players.all[client]->code;
}

uint64_t play_id(const struct play *p, int64_t client)
{
    return p->players.all[client]->id;
}

struct bytes play_protocols(const struct play *p)
{
    return buf_bytes(&p->protocols);
}

int play_advance(struct play *p, double seconds)
{
    double end = p->now + seconds;
    for (;;) {
        if (settle(p) < 0)
            return -1;
        double next = host_next(p->host);
        if (p->asked_at < p->asked.buf.len)
            return 0; /* an answer comes before time goes on */
        if (next == 0 || next > end)
            break;
        p->now = next > p->now ? next : p->now;
    }
    p->now = end;
    return settle(p);
}

const struct mail *play_asked(struct play *p)
{
    const struct mail *m = batch_next(&p->asked, &p->asked_at);
    if (!m) {
        p->asked.buf.len = 0;
        p->asked_at = 0;
    }
    return m;
}

void play_answer(struct play *p, uint64_t id, uint16_t status, struct bytes fields,
                 struct bytes body)
{
    struct mail m = {.kind = MAIL_FETCHED,
                     .id = id,
                     .fetched = {.head_len = (uint32_t)fields.len, .status = status}};
    struct buf all = {0};
    if (buf_append(&all, fields) < 0 || buf_append(&all, body) < 0)
        p->no_memory = true;
    post(p, &m, buf_bytes(&all));
    buf_deinit(&all);
}

double play_now(const struct play *p)
{
    return p->now + p->ahead;
}

void play_stop(struct play *p)
{
    struct mail m = {.kind = MAIL_DRAIN};
    atomic_store(&p->is_draining, true);
    post(p, &m, (struct bytes){0});
    (void)settle(p);
}

struct bytes play_log(struct play *p)
{
    struct buf before = p->taken_lines;
    p->taken_lines = p->lines;
    p->lines = before;
    p->lines.len = 0;
    return buf_bytes(&p->taken_lines);
}
