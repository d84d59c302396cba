/* conn_state: where a peer is, and how it gets elsewhere.
 *
 *   conn_init --> HEAD <---------------------------------.
 *                  |                                     | the next request (keep-alive)
 *                  |-- a request for the rules --> BODY  |
 *                  |                                |    |
 *                  |                 it is whole    v    |
 *                  |                              ASKED  |
 *                  |                                |    |
 *                  |-- plain answer,  scripted      v    |
 *                  |   refusal ------ response --> ANSWERING
 *                  |                                     |
 *                  | conn_enter_ws                       | all has left, it was the last
 *                  v            conn_close               |
 *                 OPEN ------> CLOSING                   |
 *                 |  |            | the peer's Close,    |
 *         a fault |  | its Close  | a fault              |
 *                 v  |            v                      v
 *            FAILING '--------> LAST -- all left -->  LINGER
 *                 |              ^                       |
 *                 '--------------'                       |
 *         conn_close, its wait's end, a slow reader      |
 *                                                        | the peer's FIN, or no more
 * time any state -- conn_abort, a dead socket, a wait's end --> DEAD, which the shard
 * reaps
 *
 * HEAD to ANSWERING are the phase of HTTP (c->http), OPEN and CLOSING that of WebSocket
 * (c->ws); LAST to DEAD end either, and c->upgraded says which.
 *
 * FAILING is there for what was said before the fault. "hi" and a broken frame come in
 * one read: "hi" is the rules' to answer, which takes a way to the host and back, and a
 * Close that is queued at once would be in front of the answer, which nobody would hear.
 * So the rules' side is told of the fault behind the message, and its MAIL_CLOSE comes
 * behind the answer. To count what is unanswered here was rejected: a message may have
 * no answer, or many. Who waits for nothing pays a turn's delay, and a host that is late
 * is not waited for beyond --close-time. */
#include "net/conn_state.h"

#include "net/file.h"
#include "net/request.h"

#include <stdlib.h>

void conn_wait_for(struct conn *c, enum conn_wait wait)
{
    c->wait = (uint8_t)wait;
    c->restarted = true;
}

void conn_enter_head(struct conn *c, enum conn_wait wait)
{
    c->state = CONN_HEAD;
    c->http.searched = 0;
    c->head_only = false;
    conn_wait_for(c, wait);
}

struct buf conn_enter_ws(struct conn *c)
{
    struct buf in = c->http.in;
    c->ws = (struct conn_ws){0};
    c->upgraded = true;
    c->has_twins = c->env->deflate && !conn_takes_deflated(c);
    c->state = CONN_OPEN;
    conn_wait_for(c, CONN_WAIT_PING);
    return in;
}

void conn_enter_last(struct conn *c)
{
    if (c->state == CONN_DEAD)
        return;
    c->over = true;
    c->state = CONN_LAST;
    conn_wait_for(c, CONN_WAIT_CLOSE);
}

void conn_abort(struct conn *c)
{
    c->state = CONN_DEAD;
    c->over = true;
}

void conn_note_close(struct conn *c, uint16_t code, struct bytes reason)
{
    if (c->code)
        return;
    c->code = code;
    c->ws.reason.len = 0;
    (void)buf_append(&c->ws.reason, reason); /* without memory the reason is empty */
}

void conn_fail_now(struct conn *c, uint16_t code, struct bytes why)
{
    bool said = c->state == CONN_CLOSING;
    if (c->code) {
        code = c->code;
        why = buf_bytes(&c->ws.reason);
    } else {
        conn_note_close(c, code, why);
    }
    if (!said)
        conn_queue_moved(c, outframe_new_close(code, why));
    conn_enter_last(c);
}

void conn_fail(struct conn *c, uint16_t code, const char *why)
{
    if (c->state == CONN_OPEN) {
        conn_note_close(c, code, bytes_of(why));
        c->state = CONN_FAILING;
        conn_wait_for(c, CONN_WAIT_CLOSE);
        if (c->env->on_fault(c, code, bytes_of(why)) < 0)
            conn_fail_now(c, code, bytes_of(why));
    } else if (c->state == CONN_CLOSING) {
        conn_fail_now(c, code, bytes_of(why));
    } /* else it has failed, or has ended, already */
}

void conn_close(struct conn *c, uint16_t code, struct bytes reason)
{
    if (c->state == CONN_FAILING) {
        c->code = 0; /* a Close of the rules before they heard of the fault comes first */
        conn_fail_now(c, code, reason);
        return;
    }
    if (c->state != CONN_OPEN)
        return;
    conn_note_close(c, code, reason);
    c->state = CONN_CLOSING;
    conn_wait_for(c, CONN_WAIT_CLOSE);
    conn_queue_moved(c, outframe_new_close(code, reason));
}

void conn_drop_kept(struct conn *c)
{
    switch ((enum conn_keeps)c->http.keeps) {
    case KEEPS_REQUEST:
        request_free(c->http.request);
        break;
    case KEEPS_FILE:
        file_free(c->http.file);
        break;
    case KEEPS_NOTHING:
        break;
    }
    c->http.keeps = KEEPS_NOTHING;
}

void conn_free_phase(struct conn *c)
{
    if (!c->upgraded) {
        conn_drop_kept(c);
        free(c->http.origin);
        buf_deinit(&c->http.in);
        return;
    }
    if (c->ws.unfinished)
        messages_deinit(c->ws.unfinished);
    free(c->ws.unfinished);
    takeover_free(c->ws.takeover);
    buf_deinit(&c->ws.reason);
}

bool conn_takes_deflated(const struct conn *c)
{
    return c->deflate_bits == 15;
}

/* Bytes that the peer makes us keep. */
static size_t held(const struct conn *c)
{
    size_t out = conn_cost(c, c->out.count, (size_t)c->out.bytes + c->out.sent);
    if (c->upgraded)
        return out + takeover_size(c->ws.takeover) +
               (c->ws.unfinished ? messages_size(c->ws.unfinished) : 0);
    bool keeps_request = c->http.keeps == KEEPS_REQUEST;
    return out + c->http.in.cap + (keeps_request ? request_size(c->http.request) : 0);
}

void conn_count_held(struct conn *c)
{
    size_t now = held(c);
    quota_take(&c->env->held, now);
    quota_give(&c->env->held, c->counted);
    c->counted = now;
}

bool conn_may_hold(struct conn *c)
{
    size_t now = held(c);
    if (now > c->counted && !quota_has(&c->env->held, now - c->counted)) {
        conn_reached(c, LIMIT_QUEUED);
        return false;
    }
    conn_count_held(c);
    return true;
}

void conn_queue_moved(struct conn *c, struct outframe *f)
{
    if (!f || outq_push(&c->out, f) < 0)
        conn_abort(c);
    outframe_unref(f);
    conn_count_held(c);
}

void conn_reached(struct conn *c, enum limit which)
{
    limit_reached(c->env->stats->limits, which, &c->addr, c->env->now_ms, c->env->log);
}
