/* conn_ws: frames in, messages to the rules, control frames answered.
 *
 * A peer pays for each message and ping (--max-rate, --max-byte-rate) before anything
 * else is done with it: the inflated bytes are charged as well, once they are known, for
 * a few packed ones can be many. What comes after our Close is read for the peer's Close
 * alone. */
#include "net/conn_ws.h"

#include "net/conn_slow.h"
#include "wire/close.h"
#include "wire/utf8.h"

#include <stdlib.h>

enum send_result conn_send(struct conn *c, struct outframe *f)
{
    if (!conn_takes_sends(c))
        return SEND_GONE;
    if (c->deflate_bits)
        f = deflate_frame(c->env->deflate, f, c->deflate_bits);
    if (!conn_has_room(c, outframe_bytes(f).len))
        return c->full == LIMIT_QUEUED ? conn_send_past(c, f) : SEND_FULL;
    if (outq_push(&c->out, f) < 0) {
        conn_abort(c);
        return SEND_GONE;
    }
    size_t cost = conn_cost(c, 1, outframe_bytes(f).len);
    quota_take(&c->env->held, cost);
    c->counted += cost;
    return SEND_OK;
}

static void receive_close(struct conn *c, const struct messages_out *out)
{
    bool said = c->state == CONN_CLOSING;
    conn_note_close(c, out->code, out->data);
    if (!said)
        conn_queue_moved(c, outframe_new_close(out->code, (struct bytes){0}));
    conn_enter_last(c);
}

/* Sends a ping or a pong. False: it did not fit, which a peer whose messages may be lost
 * survives; another is closed. */
static bool send_control(struct conn *c, struct outframe *f)
{
    bool full = conn_send(c, f) == SEND_FULL;
    if (full && !c->env->drop_when_slow)
        conn_too_slow(c, f);
    return !full;
}

static void pong(struct conn *c, struct bytes data)
{
    struct outframe *f = outframe_new(WS_PONG, data);
    if (!f)
        conn_abort(c);
    else
        (void)send_control(c, f);
    outframe_unref(f);
}

/* Remembers what the peer may refer back to. False: the connection failed. */
static bool note_context(struct conn *c, struct bytes message)
{
    if (c->settled)
        return true;
    bool needed = takeover_is_needed(c->ws.takeover);
    enum takeover_result result = takeover_note(&c->ws.takeover, message);
    bool has_room = conn_may_hold(c);
    c->settled = result == TAKEOVER_SETTLED;
    if (has_room && result != TAKEOVER_NO_MEMORY)
        return true;
    takeover_free(c->ws.takeover);
    c->ws.takeover = NULL;
    c->settled = true; /* or else its next message is not readable, and ends in 1007 */
    conn_count_held(c);
    if (needed)
        conn_fail(c, has_room ? WS_CLOSE_INTERNAL : WS_CLOSE_TRY_LATER,
                  has_room ? "out of memory" : "too busy, try again later");
    return !needed;
}

/* Inflates a compressed message in *out. False: the connection failed. */
static bool inflate_message(struct conn *c, struct messages_out *out)
{
    int code = takeover_inflate(c->ws.takeover, c->env->deflate, out->data,
                                c->env->messages.message, &out->data);
    if (code == 0 && !out->binary && !utf8_is_valid(out->data))
        code = WS_CLOSE_BAD_DATA;
    if (code == WS_CLOSE_TOO_BIG)
        conn_reached(c, LIMIT_MESSAGE);
    if (code)
        conn_fail(c, (uint16_t)code,
                  code == WS_CLOSE_TOO_BIG ? "the message is too big"
                                           : "bad compressed message");
    return code == 0 && note_context(c, out->data);
}

/* Charges the peer for `count` messages or pings of `len` bytes in all. False: it is not
 * to be handled. Who goes on after the warning, by a second's worth, is closed. */
static bool afford(struct conn *c, float count, size_t len)
{
    float messages =
        rate_take(&c->messages, c->env->now_ms, c->env->messages_a_second, count);
    float bytes =
        rate_take(&c->bytes, c->env->now_ms, c->env->bytes_a_second, (float)len);
    if (messages == 0 && bytes == 0) {
        c->warned = false;
        return true;
    }
    if (messages > c->env->messages_a_second ||
        (bytes > c->env->bytes_a_second && bytes > (float)len)) {
        stats_add(&c->env->stats->fast_closed, 1);
        conn_close(c, WS_CLOSE_POLICY, bytes_of("too fast"));
    } else if (!c->warned) {
        struct outframe *f = outframe_new(
            WS_TEXT, bytes_of("{\"type\":\"error\",\"error\":\"too_fast\"}"));
        c->warned = true;
        conn_reached(c, messages > 0 ? LIMIT_RATE : LIMIT_BYTE_RATE);
        if (f)
            (void)conn_send(c, f);
        outframe_unref(f);
    }
    return false;
}

static void take_message(struct conn *c, struct messages_out *out)
{
    size_t packed = out->data.len;
    bool paid = afford(c, 1, packed);
    /* What is not paid for is not handled, but the next message may refer back to it. */
    bool needed = paid || (c->state == CONN_OPEN && c->ws.takeover);
    if ((needed && out->compressed && !inflate_message(c, out)) || !paid)
        return;
    if (out->data.len > packed && !afford(c, 0, out->data.len - packed))
        return;
    stats_add(&c->env->stats->messages_in, 1);
    if (c->env->on_message(c, out->data, out->binary) < 0)
        conn_fail(c, WS_CLOSE_INTERNAL, "out of memory");
}

static void drop_unfinished(struct conn *c)
{
    if (c->ws.unfinished)
        messages_deinit(c->ws.unfinished);
    free(c->ws.unfinished);
    c->ws.unfinished = NULL;
}

/* Keeps `s`, the conn's own or a fresh one, for the bytes that are still to come; nothing
 * if none are. */
static void keep_unfinished(struct conn *c, struct messages *s)
{
    bool idle = messages_is_idle(s);
    if (s != c->ws.unfinished) {
        if (idle) /* the usual case: nothing has changed */
            return;
        c->ws.unfinished = malloc(sizeof *s);
        if (c->ws.unfinished) {
            *c->ws.unfinished = *s;
        } else {
            messages_deinit(s);
            conn_fail(c, WS_CLOSE_INTERNAL, "out of memory");
        }
    } else if (idle) {
        drop_unfinished(c);
    }
    if (!conn_may_hold(c)) {
        drop_unfinished(c);
        conn_fail(c, WS_CLOSE_TRY_LATER, "too busy, try again later");
    }
}

void conn_ws_receive(struct conn *c, uint8_t *at, size_t len)
{
    struct messages_in in = {at, len};
    struct messages_out out;
    struct messages fresh, *s = c->ws.unfinished;
    if (!s) {
        messages_init(&fresh, c->deflate_bits > 0);
        s = &fresh;
    }
    while (c->state == CONN_OPEN || c->state == CONN_CLOSING) {
        switch (messages_next(s, &c->env->messages, &in, &out)) {
        case MESSAGES_MORE:
            keep_unfinished(c, s);
            return;
        case MESSAGES_MESSAGE:
            if (c->state == CONN_OPEN) /* after our Close we only wait for the peer's */
                take_message(c, &out);
            break;
        case MESSAGES_PING:
            if (c->state == CONN_OPEN && afford(c, 1, out.data.len))
                pong(c, out.data);
            break;
        case MESSAGES_PONG:
            break;
        case MESSAGES_CLOSE:
            receive_close(c, &out);
            break;
        case MESSAGES_FAIL:
            if (out.code == WS_CLOSE_TOO_BIG || out.code == WS_CLOSE_POLICY)
                conn_reached(c, out.code == WS_CLOSE_TOO_BIG ? LIMIT_MESSAGE
                                                             : LIMIT_FRAGMENTS);
            conn_fail(c, out.code, out.why);
            break;
        }
    }
    messages_deinit(s); /* the end: what is still to come is swallowed */
    conn_count_held(c);
}

void conn_ws_timeout(struct conn *c)
{
    if (c->wait == CONN_WAIT_PING) {
        bool waits = c->out.count > 0; /* a large message may take longer than a pong */
        c->unpinged = !send_control(c, c->env->ping) || waits;
        if (c->state == CONN_OPEN) {
            c->silent = true;
            conn_wait_for(c, CONN_WAIT_PONG);
        }
    } else if (!c->silent || c->paused) { /* whom we do not read can't answer */
        conn_wait_for(c, CONN_WAIT_PING);
    } else {
        conn_reached(c, LIMIT_PING_TIMEOUT);
        conn_abort(c);
    }
}
