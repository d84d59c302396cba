/* conn: one peer: reads and writes, what it waits for, and which of its parts hears of
 * what. A turn reads, decodes and queues; the shard flushes at its end. The states and
 * their diagram are in conn_state, HTTP is in conn_http, WebSocket in conn_ws. */
#include "net/conn_state.h"

#include "net/conn_answer.h"
#include "net/conn_http.h"
#include "net/conn_proxy.h"
#include "net/conn_ws.h"

enum { IOV_MAX_PIECES = 64, FLUSHES_A_TURN = 32 };

void conn_init(struct conn *c, struct conn_env *env, struct stream *stream,
               const struct addr *from)
{
    *c = (struct conn){
        .env = env, .stream = stream, .addr = *from, .secure = stream->secure};
    conn_enter_head(c, CONN_WAIT_HEAD);
}

void conn_deinit(struct conn *c)
{
    quota_give(&c->env->held, c->counted);
    conn_free_phase(c);
    outq_deinit(&c->out);
    c->stream->ops->free(c->stream);
}

const struct stream *conn_stream(const struct conn *c)
{
    return c->stream;
}

bool conn_is_secure(const struct conn *c)
{
    return c->secure;
}

const struct addr *conn_addr(const struct conn *c)
{
    return &c->addr;
}

static void receive(struct conn *c, uint8_t *at, size_t len)
{
    switch ((enum conn_state)c->state) {
    case CONN_HEAD:
    case CONN_BODY:
    case CONN_ASKED:
    case CONN_ANSWERING:
        conn_http_receive(c, (struct bytes){at, len});
        break;
    case CONN_OPEN:
    case CONN_CLOSING:
        c->silent = false;
        conn_ws_receive(c, at, len);
        break;
    case CONN_FAILING:
    case CONN_LAST:
    case CONN_LINGER:
    case CONN_DEAD:
        break; /* swallowed */
    }
}

bool conn_read(struct conn *c, uint8_t *scratch, size_t size)
{
    if (!conn_wants_read(c))
        return false;
    if (conn_proxy_awaits_raw(c) && !conn_proxy_take_raw(c))
        return false;
    ssize_t n = c->stream->ops->read(c->stream, scratch, size);
    if (n == STREAM_AGAIN)
        return false;
    if (n == STREAM_END || n == STREAM_ERROR) {
        conn_abort(c);
        return false;
    }
    receive(c, scratch, (size_t)n);
    return c->stream->ops->is_pending(c->stream);
}

/* All that was queued has left. */
static void flushed(struct conn *c)
{
    if (c->state == CONN_ANSWERING && conn_answer_continue(c))
        return;
    if (c->state == CONN_ANSWERING && c->keep_alive) {
        conn_http_next(c);
    } else if (c->state == CONN_ANSWERING || c->state == CONN_LAST) {
        c->stream->ops->shutdown(c->stream);
        if (!c->upgraded) /* what came behind the last request is not read any more */
            buf_deinit(&c->http.in);
        conn_count_held(c);
        c->state = CONN_LINGER;
        c->over = true;
        conn_wait_for(c, CONN_WAIT_CLOSE);
    }
}

static enum stream_wants wants(const struct conn *c)
{
    return c->stream->ops->wants ? c->stream->ops->wants(c->stream)
                                 : STREAM_WANTS_NOTHING;
}

/* The socket has taken `n` bytes. */
static void took(struct conn *c, size_t n)
{
    size_t frames = c->out.count, bytes = (size_t)c->out.bytes + c->out.sent;
    outq_advance(&c->out, n);
    bytes -= (size_t)c->out.bytes + c->out.sent;
    size_t cost = conn_cost(c, frames - c->out.count, bytes);
    quota_give(&c->env->held, cost);
    c->counted -= cost;
    if (c->unpinged && n > 0)
        c->silent = false;
    if (c->upgraded)
        c->greeted = true;
    if (c->state == CONN_ANSWERING && n > 0) /* its limit is on standing still */
        conn_wait_for(c, CONN_WAIT_ANSWERED);
}

/* Writes until the queue is empty (true) or the socket is full or gone (false). */
static bool write_out(struct conn *c)
{
    while (c->out.count || wants(c) == STREAM_WANTS_WRITE) {
        struct iovec iov[IOV_MAX_PIECES];
        int pieces = outq_iov(&c->out, iov, IOV_MAX_PIECES);
        ssize_t n = c->stream->ops->write(c->stream, iov, pieces);
        if (n < 0 && n != STREAM_AGAIN)
            conn_abort(c);
        if (n < 0)
            return false;
        took(c, (size_t)n);
    }
    return true;
}

struct bytes conn_piece(const struct conn *c)
{
    bool plain = c->stream->fd >= 0 && !c->stream->secure;
    return c->state != CONN_DEAD && plain ? outq_piece(&c->out) : (struct bytes){0};
}

void conn_wrote(struct conn *c, ssize_t n)
{
    if (n < 0) {
        if (n != STREAM_AGAIN)
            conn_abort(c);
        return;
    }
    took(c, (size_t)n);
    if (c->out.count > 0)
        return; /* the socket is full */
    /* The next request's turn, or the end. To an open WebSocket nothing comes behind its
     * last frame: that is every delivery of a broadcast, and this saves 5 % of it. */
    if (c->state != CONN_OPEN)
        conn_flush(c);
}

/* A reader that takes all at once, of a file or of requests that came one behind the
 * other, is not written to for ever: what is left waits for the socket to say again that
 * it is writable, and others get their turn. */
void conn_flush(struct conn *c)
{
    for (int i = 0; i < FLUSHES_A_TURN && c->state != CONN_DEAD && write_out(c); i++) {
        flushed(c);
        if (c->out.count == 0)
            return;
    }
}

void conn_pause(struct conn *c, bool paused)
{
    c->paused = paused;
    c->silent = false; /* its time begins again */
}

bool conn_wants_read(const struct conn *c)
{
    switch ((enum conn_state)c->state) {
    case CONN_HEAD:
    case CONN_BODY:
    case CONN_CLOSING:
    case CONN_LINGER:
        return true;
    case CONN_ASKED: /* so that we hear of its end; the next request waits */
        return c->http.in.len == 0;
    case CONN_OPEN:
        return !c->paused;
    case CONN_ANSWERING:
    case CONN_FAILING:
    case CONN_LAST:
    case CONN_DEAD:
        return false;
    }
    return false;
}

bool conn_wants_write(const struct conn *c)
{
    return c->state != CONN_DEAD &&
           (c->out.count > 0 || wants(c) != STREAM_WANTS_NOTHING);
}

bool conn_wants_read_retry(const struct conn *c)
{
    return wants(c) == STREAM_WANTS_READ_RETRY;
}

bool conn_is_dead(const struct conn *c)
{
    return c->state == CONN_DEAD;
}

bool conn_is_open(const struct conn *c)
{
    return c->state == CONN_OPEN;
}

bool conn_is_over(const struct conn *c, uint16_t *code, struct bytes *reason)
{
    if (!c->upgraded || !c->over)
        return false;
    *code = c->code ? c->code : WS_CLOSE_ABNORMAL;
    *reason = buf_bytes(&c->ws.reason);
    return true;
}

enum conn_wait conn_wait(struct conn *c, bool *restarted)
{
    *restarted = c->restarted;
    c->restarted = false;
    return (enum conn_wait)c->wait;
}

void conn_timeout(struct conn *c)
{
    switch ((enum conn_wait)c->wait) {
    case CONN_WAIT_HEAD:
    case CONN_WAIT_NEXT:
    case CONN_WAIT_RESPONSE:
        conn_http_timeout(c);
        break;
    case CONN_WAIT_PING:
    case CONN_WAIT_PONG:
        conn_ws_timeout(c);
        break;
    case CONN_WAIT_CLOSE:
        if (c->state == CONN_FAILING) { /* the rules are late, not the peer */
            conn_fail_now(c, c->code, (struct bytes){0});
            break;
        }
        if (c->state == CONN_CLOSING)
            conn_reached(c, LIMIT_CLOSE_TIME);
        conn_abort(c);
        break;
    case CONN_WAIT_ANSWERED:
    case CONN_WAIT_KINDS:
        conn_abort(c);
        break;
    }
}
