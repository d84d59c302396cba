/* uplink: one batch a turn. What does not get through without memory stays where it was,
 * in the batch or with its peer, and goes with a later turn.
 *
 * A peer whose messages pile up in the host is paused. Not to read it at all would leave
 * its Close unanswered and its end unheard for as long as its handler waits, perhaps for
 * minutes. So it is read ahead: up to AHEAD_BYTES of its messages wait here, and an end
 * behind them is told at once, with them in front of it. Only beyond that, or when the
 * sum that all peers may hold is spent, its socket is left alone.
 *
 * One read can be far more than that: 64 KiB of compressed messages are 8 MiB of text, so
 * twenty paused peers held 100 MB under a sum of 4. What the sum has no room for is not
 * kept, and its peer is closed, but for a few words (PAST_BYTES): who says little is not
 * to suffer for others. */
#include "room/uplink.h"

#include "wire/opcode.h"

#include <stdlib.h>

enum {
    BATCH_BYTES = 256 * 1024, /* posted within a turn when it grows larger */
    SUBJECT_MAX = 1024,       /* of a client's certificate */
    AHEAD_BYTES = 64 * 1024,  /* of a paused peer, read all the same */
    PAST_BYTES = 4 * 1024,    /* of them, kept though the sum is spent */
};

void uplink_init(struct uplink *u, struct mailbox *host, struct stats *stats)
{
    *u = (struct uplink){.host = host, .stats = stats};
}

void uplink_deinit(struct uplink *u)
{
    buf_deinit(&u->batch.buf);
}

/* Collects mail of `kind` about a request: its head, and `tail` behind what its peer's
 * certificate says. Returns 0 or -1. */
static int add_request(struct uplink *u, struct peer *p, enum mail_kind kind,
                       struct bytes head, struct bytes tail)
{
    const struct stream *stream = conn_stream(&p->conn);
    struct mail m = {.kind = kind, .id = p->id};
    char subject[SUBJECT_MAX];
    m.open.addr = *conn_addr(&p->conn);
    m.open.secure = conn_is_secure(&p->conn);
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
        result = batch_add(&u->batch, &m, buf_bytes(&all));
    buf_deinit(&all);
    if (result == 0)
        u->open++;
    return result;
}

int uplink_open(struct uplink *u, struct peer *p, struct bytes head,
                struct bytes protocol)
{
    if (add_request(u, p, MAIL_OPEN, head, protocol) < 0)
        return -1;
    p->opened = true;
    stats_add(&u->stats->connections, 1);
    return 0;
}

int uplink_request(struct uplink *u, struct peer *p, struct bytes head, struct bytes body)
{
    if (add_request(u, p, MAIL_REQUEST, head, body) < 0)
        return -1;
    p->asked = true;
    return 0;
}

void uplink_answered(struct uplink *u, struct peer *p)
{
    p->asked = false;
    u->open--;
}

/* The sum has no room for what the peer says. */
static void turn_away(struct peer *p)
{
    const struct conn_env *env = p->conn.env;
    limit_reached(env->stats->limits, LIMIT_QUEUED, conn_addr(&p->conn), env->now_ms,
                  env->log);
    conn_close(&p->conn, WS_CLOSE_TRY_LATER, bytes_of("too busy, try again later"));
}

static int keep_ahead(struct peer *p, const struct mail *m, struct bytes data)
{
    struct quota_share *held = &p->conn.env->held;
    if (!p->ahead && !(p->ahead = calloc(1, sizeof *p->ahead)))
        return -1;
    size_t before = p->ahead->buf.len, size = sizeof *m + data.len;
    if (before + size > PAST_BYTES && !quota_has(held, size)) {
        turn_away(p);
        return 0;
    }
    if (batch_add(p->ahead, m, data) < 0)
        return -1;
    quota_take(held, p->ahead->buf.len - before);
    if (p->ahead->buf.len > AHEAD_BYTES || !quota_has(held, AHEAD_BYTES))
        conn_pause(&p->conn, true);
    return 0;
}

int uplink_message(struct uplink *u, struct peer *p, struct bytes data, bool binary)
{
    struct mail m = {.kind = MAIL_MESSAGE, .id = p->id, .binary = binary};
    return p->paused || p->ahead ? keep_ahead(p, &m, data)
                                 : batch_add(&u->batch, &m, data);
}

void uplink_pause(struct peer *p, bool paused)
{
    p->paused = paused;
    if (!paused)
        conn_pause(&p->conn, false);
}

void uplink_forget(struct peer *p)
{
    if (!p->ahead)
        return;
    quota_give(&p->conn.env->held, p->ahead->buf.len);
    buf_deinit(&p->ahead->buf);
    free(p->ahead);
    p->ahead = NULL;
}

bool uplink_catch_up(struct uplink *u, struct peer *p)
{
    if (p->paused || !p->ahead)
        return true;
    if (buf_append(&u->batch.buf, buf_bytes(&p->ahead->buf)) < 0)
        return false;
    uplink_forget(p);
    return true;
}

/* Nothing more comes: what was put off goes, whether or not the host wants it yet.
 * False: memory is out. */
static bool send_ahead(struct uplink *u, struct peer *p)
{
    p->paused = false;
    return uplink_catch_up(u, p);
}

int uplink_fault(struct uplink *u, struct peer *p, uint16_t code, struct bytes reason)
{
    struct mail m = {.kind = MAIL_FAULT, .id = p->id, .code = code};
    return send_ahead(u, p) ? batch_add(&u->batch, &m, reason) : -1;
}

static bool tell_given_up(struct uplink *u, struct peer *p)
{
    if (!p->asked || conn_awaits_response(&p->conn))
        return true;
    struct mail m = {.kind = MAIL_GIVEN_UP, .id = p->id};
    if (batch_add(&u->batch, &m, (struct bytes){0}) < 0)
        return false;
    uplink_answered(u, p);
    return true;
}

static bool tell_closed(struct uplink *u, struct peer *p)
{
    uint16_t code;
    struct bytes reason;
    if (!p->opened || p->told || !conn_is_over(&p->conn, &code, &reason))
        return true;
    if (!send_ahead(u, p))
        return false;
    struct mail m = {.kind = MAIL_CLOSED, .id = p->id, .code = code};
    if (batch_add(&u->batch, &m, reason) < 0)
        return false;
    p->told = true;
    u->open--;
    stats_add(&u->stats->connections, (uint64_t)-1);
    return true;
}

bool uplink_tell(struct uplink *u, struct peer *p)
{
    return uplink_catch_up(u, p) && tell_given_up(u, p) && tell_closed(u, p);
}

void uplink_tell_drained(struct uplink *u)
{
    struct mail m = {.kind = MAIL_DRAINED};
    if (!u->drained)
        u->drained = batch_add(&u->batch, &m, (struct bytes){0}) == 0;
}

void uplink_post(struct uplink *u)
{
    /* Without memory the mail stays in the batch and goes with the next turn's. */
    (void)mailbox_post(u->host, &u->batch);
}

bool uplink_may_read(struct uplink *u)
{
    if (u->batch.buf.len > BATCH_BYTES)
        uplink_post(u);
    u->held = u->held || mailbox_is_full(u->host);
    return !u->held;
}

bool uplink_release(struct uplink *u)
{
    if (!u->held || mailbox_is_full(u->host))
        return false;
    u->held = false;
    return true;
}
