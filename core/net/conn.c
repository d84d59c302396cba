/* conn: the state machine of one peer. A turn reads, decodes and queues; the shard
 * flushes at its end. Longer than other files: every state of a peer, and every way from
 * one to another, is here. */
#include "net/conn.h"

#include "net/page.h"
#include "net/request.h"
#include "wire/close.h"
#include "wire/utf8.h"
#include "wire/origin.h"
#include "wire/proxy.h"
#include "wire/routes.h"
#include "wire/upgrade.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    IOV_MAX_PIECES = 64,
    PROTOCOL_MAX = 128, /* a subprotocol's name, as app.c checks it */
    RAW_READ_BYTES = 256,
};

enum conn_state {
    CONN_HEAD,    /* waits for (the rest of) a request's head */
    CONN_BODY,    /* the same for the body of a request for the rules */
    CONN_ASKED,   /* they have it: waits for conn_respond */
    CONN_ANSWER,  /* a plain answer leaves; then the next request or the end */
    CONN_OPEN,    /* WebSocket messages both ways */
    CONN_CLOSING, /* our Close is queued or sent, the peer's has not come */
    CONN_LAST,    /* what is queued leaves, then we end */
    CONN_LINGER, /* all has left and we said FIN: waits for the peer's, so that nothing is
                    reset */
    CONN_DEAD,
};

static void wait_for(struct conn *c, enum conn_wait wait)
{
    c->wait = (uint8_t)wait;
    c->restarted = true;
}

static void enter_head(struct conn *c)
{
    c->state = CONN_HEAD;
    c->searched = 0;
    wait_for(c, CONN_WAIT_HEAD);
}

void conn_init(struct conn *c, struct conn_env *env, struct stream *stream,
               const struct addr *from)
{
    *c = (struct conn){.env = env, .stream = stream, .addr = *from};
    enter_head(c);
}

/* Bytes that the peer makes us keep: what waits for it, and its request. */
static size_t held(const struct conn *c)
{
    return c->out.bytes + (c->request ? request_size(c->request) : 0);
}

/* Keeps the sum over all peers true: `before` were held until something changed. */
static void count_queued(struct conn *c, size_t before)
{
    c->env->queued += held(c);
    c->env->queued -= before;
}

static void drop_request(struct conn *c)
{
    size_t before = held(c);
    request_free(c->request);
    c->request = NULL;
    count_queued(c, before);
}

void conn_deinit(struct conn *c)
{
    c->env->queued -= held(c);
    request_free(c->request);
    if (c->unfinished)
        messages_deinit(c->unfinished);
    free(c->unfinished);
    outq_deinit(&c->out);
    buf_deinit(&c->in);
    c->stream->ops->free(c->stream);
}

const struct stream *conn_stream(const struct conn *c)
{
    return c->stream;
}

const struct addr *conn_addr(const struct conn *c)
{
    return &c->addr;
}

void conn_abort(struct conn *c)
{
    c->state = CONN_DEAD;
    c->over = true;
}

/* Queues `f` and gives the caller's reference up; NULL, like a full memory, ends the
 * conn. */
static void queue_moved(struct conn *c, struct outframe *f)
{
    size_t before = held(c);
    if (!f || outq_push(&c->out, f) < 0)
        conn_abort(c);
    outframe_unref(f);
    count_queued(c, before);
}

static void reached(struct conn *c, enum limit which)
{
    limit_reached(c->env->stats->limits, which, &c->addr, c->env->now_ms, c->env->log);
}

/* Everything that is queued leaves, then the connection ends. */
static void enter_last(struct conn *c)
{
    if (c->state == CONN_DEAD)
        return;
    c->over = true;
    c->state = CONN_LAST;
    wait_for(c, CONN_WAIT_CLOSE);
}

static void note_close(struct conn *c, uint16_t code, struct bytes reason)
{
    if (c->code)
        return;
    c->code = code;
    (void)buf_append(&c->reason, reason); /* without memory the reason is empty */
}

/* --- HTTP ---------------------------------------------------------------- */

static void answer(struct conn *c, struct outframe *f, bool keep_alive)
{
    drop_request(c);
    if (f && c->env->queued + outframe_bytes(f).len > c->env->queued_max) {
        outframe_unref(f);
        f = answer_error(503, "too busy, try again later", "Retry-After: 5\r\n");
        keep_alive = false;
    }
    c->keep_alive = keep_alive;
    c->state = CONN_ANSWER;
    wait_for(c, CONN_WAIT_ANSWER);
    queue_moved(c, f);
}

static void refuse(struct conn *c, int status, const char *why, const char *fields)
{
    stats_add(&c->env->stats->refused, 1);
    answer(c, answer_error(status, why, fields), false);
}

static void refuse_large_head(struct conn *c, enum limit which)
{
    reached(c, which);
    refuse(c, 431, "the request's head is too large", NULL);
}

static void refuse_stopping(struct conn *c)
{
    refuse(c, 503, "the server is stopping", "Retry-After: 5\r\n");
}

static bool is_from_proxy(const struct conn *c)
{
    return !c->proxied && cidr_has(c->env->trusted, c->env->trusted_count, &c->addr);
}

/* A trusted proxy has said who the client is. False: that one may not connect. */
static bool set_client(struct conn *c, const struct addr *client)
{
    if (!c->env->on_client(c, client))
        return false;
    c->addr = *client;
    c->proxied = true;
    return true;
}

static void refuse_client(struct conn *c)
{
    refuse(c, 429, "too many connections from your address", "Retry-After: 5\r\n");
}

/* Whether who a proxy speaks for and a page's origin may have more than pages from us;
 * else it has been refused. */
static bool admit(struct conn *c, const struct http_head *head)
{
    struct addr client;
    int told = is_from_proxy(c)
                   ? proxy_client(head, c->env->trusted, c->env->trusted_count, &client)
                   : 0;
    if (told < 0) {
        refuse(c, 400, "Forwarded and X-Forwarded-For contradict each other", NULL);
        return false;
    }
    if (told > 0 && !set_client(c, &client)) {
        refuse_client(c);
        return false;
    }
    if (!origin_is_allowed(head, c->env->origins, c->env->origin_count)) {
        refuse(c, 403,
               "pages from this origin may not connect; the operator allows them with "
               "--origin",
               NULL);
        return false;
    }
    return true;
}

/* Switches to WebSocket. `head` lies in c->in. */
static void upgrade(struct conn *c, const struct http_head *head, struct bytes head_bytes)
{
    char accept[29], response[512];
    struct upgrade_refusal refusal;
    if (upgrade_check(head, accept, &refusal) < 0) {
        refuse(c, refusal.status, refusal.why,
               refusal.status == 426
                   ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               : refusal.status == 405 ? "Allow: GET\r\n"
                                       : NULL);
        return;
    }
    if (!admit(c, head))
        return;
    char extensions[DEFLATE_RESPONSE_SIZE];
    c->deflate_bits = c->env->deflate ? (uint8_t)deflate_negotiate(head, extensions) : 0;
    struct bytes protocol = upgrade_choose_protocol(head, c->env->protocols);
    char name[PROTOCOL_MAX];
    snprintf(name, sizeof name, "%.*s", (int)protocol.len, (const char *)protocol.at);
    size_t n =
        upgrade_write(response, sizeof response, accept, protocol.len ? name : NULL,
                      c->deflate_bits ? extensions : NULL);
    if (n == 0 || c->env->on_open(c, head_bytes, protocol) < 0) {
        refuse(c, 503, "out of memory, try again later", "Retry-After: 5\r\n");
        return;
    }
    c->upgraded = true;
    c->state = CONN_OPEN;
    wait_for(c, CONN_WAIT_PING);
    queue_moved(c, outframe_new_raw((struct bytes){(uint8_t *)response, n}));
}

static void refuse_method(struct conn *c, unsigned methods, bool head_only)
{
    char allow[ROUTES_ALLOW_SIZE];
    routes_allow(methods, allow);
    stats_add(&c->env->stats->refused, 1);
    answer(c,
           answer_new(&(struct answer){.status = 405,
                                       .fields = allow,
                                       .body = bytes_of("405 Method Not Allowed\n"),
                                       .head_only = head_only}),
           false);
}

static void refuse_request(struct conn *c, int status)
{
    if (status == 413)
        reached(c, LIMIT_BODY);
    refuse(c, status, request_fault(status), status == 503 ? "Retry-After: 5\r\n" : NULL);
}

/* A request for the rules, which answer `methods` there; its body follows. `head` lies at
 * the start of c->in. */
static void begin_request(struct conn *c, const struct http_head *head,
                          struct bytes head_bytes, unsigned methods)
{
    int status;
    c->head_only = bytes_equal(head->method, bytes_of("HEAD"));
    if (!routes_takes(methods, head->method)) {
        refuse_method(c, methods, c->head_only);
        return;
    }
    if (!admit(c, head))
        return;
    if (rate_take(&c->messages, c->env->now_ms, c->env->messages_a_second, 1) > 0) {
        reached(c, LIMIT_RATE);
        refuse(c, 429, "too many requests a second", "Retry-After: 1\r\n");
        return;
    }
    size_t before = held(c);
    c->request = request_new(head, head_bytes, c->env->body_max, &status);
    if (!c->request) {
        refuse_request(c, status);
        return;
    }
    count_queued(c, before);
    /* The next request through a proxy may be another client's. */
    c->keep_alive = http_keep_alive(head) && !c->proxied;
    c->state = CONN_BODY;
    wait_for(c, CONN_WAIT_HEAD);
    if (c->in.len == head_bytes.len && request_awaits_continue(head))
        queue_moved(c, outframe_new_raw(bytes_of("HTTP/1.1 100 Continue\r\n\r\n")));
}

/* More of the body; the next request may come behind it. */
static void take_body(struct conn *c, struct bytes in)
{
    size_t before = held(c);
    int status = request_take(c->request, &in);
    count_queued(c, before);
    if (status == 0 && c->env->queued > c->env->queued_max) {
        reached(c, LIMIT_QUEUED);
        status = 503;
    }
    if (status == REQUEST_WHOLE &&
        c->env->on_request(c, request_head(c->request), request_body(c->request)) < 0)
        status = 503;
    if (status == REQUEST_WHOLE) {
        drop_request(c);
        c->state = CONN_ASKED;
        wait_for(c, CONN_WAIT_RESPONSE);
        if (in.len && buf_append(&c->in, in) < 0)
            conn_abort(c);
    } else if (status) {
        refuse_request(c, status);
    }
}

void conn_respond(struct conn *c, const struct answer *a)
{
    struct answer whole = *a;
    if (c->state != CONN_ASKED)
        return;
    whole.head_only = c->head_only;
    whole.keep_alive = c->keep_alive && !c->env->is_draining;
    if (a->status >= 400)
        stats_add(&c->env->stats->refused, 1);
    answer(c, answer_new(&whole), whole.keep_alive);
}

bool conn_awaits_response(const struct conn *c)
{
    return c->state == CONN_ASKED;
}

void conn_give_up_request(struct conn *c, bool now)
{
    if (c->state == CONN_BODY || (now && c->state == CONN_ASKED))
        refuse_stopping(c);
}

static void respond(struct conn *c, const struct http_head *head, struct bytes head_bytes)
{
    unsigned methods = routes_methods(c->env->routes, head->path);
    bool get = bytes_equal(head->method, bytes_of("GET"));
    bool head_only = bytes_equal(head->method, bytes_of("HEAD"));
    if (c->env->is_draining) {
        refuse_stopping(c);
    } else if (upgrade_is_asked(head)) {
        upgrade(c, head, head_bytes);
    } else if (methods) {
        begin_request(c, head, head_bytes, methods);
    } else if (!get && !head_only) {
        refuse(c, 405, "only GET, HEAD and WebSocket upgrades are served here",
               "Allow: GET, HEAD\r\n");
    } else if (http_has_body(head)) {
        refuse(c, 413, "a request with a body is not taken here", NULL);
    } else if (bytes_equal(head->path, bytes_of("/healthz"))) {
        struct answer ok = {.status = 200,
                            .body = bytes_of("ok\n"),
                            .fields = "Cache-Control: no-store\r\n",
                            .head_only = head_only,
                            .keep_alive = http_keep_alive(head)};
        answer(c, answer_new(&ok), ok.keep_alive);
    } else {
        bool keep_alive = http_keep_alive(head);
        struct outframe *f = page_answer(c->env->page, head, &keep_alive);
        answer(c, f, keep_alive);
    }
}

static void decode(struct conn *c, uint8_t *at, size_t len);

/* Takes a trusted proxy's PROXY header off c->in. True: what follows is a request. */
static bool take_proxy_header(struct conn *c)
{
    struct addr client;
    bool known = false;
    if (!is_from_proxy(c) || !proxy_is_begun(buf_bytes(&c->in))) {
        c->begun = true;
        return true;
    }
    int n = proxy_parse(buf_bytes(&c->in), &client, &known);
    if (n < 0)
        refuse(c, 400, "malformed PROXY header", NULL);
    if (n <= 0)
        return false;
    c->begun = true;
    buf_consume(&c->in, (size_t)n);
    if (known && !set_client(c, &client)) {
        refuse_client(c);
        return false;
    }
    return c->in.len > 0;
}

/* Whether a trusted proxy may still say something in front of the encryption. */
static bool awaits_raw_proxy_header(const struct conn *c)
{
    return c->stream->ops->read_raw && !c->unwrapped && is_from_proxy(c);
}

/* Takes the PROXY header of a trusted proxy from in front of the encryption, and not one
 * byte more. True: what follows is TLS. Nothing can be answered there: what is wrong, or
 * one client too many, ends the conn. */
static bool take_raw_proxy_header(struct conn *c)
{
    uint8_t part[RAW_READ_BYTES];
    struct addr client;
    bool known = false;
    int whole = 0;
    while (whole == 0) {
        size_t missing = proxy_missing(buf_bytes(&c->in));
        ssize_t n = c->stream->ops->read_raw(
            c->stream, part, missing < sizeof part ? missing : sizeof part, !c->in.len);
        if (n == STREAM_AGAIN)
            return false;
        if (n > 0 && c->in.len == 0) {
            c->unwrapped = !proxy_is_begun((struct bytes){part, (size_t)n});
            if (c->unwrapped)
                return true;
            n = c->stream->ops->read_raw(c->stream, part, 1, false);
        }
        if (n <= 0 || buf_append(&c->in, (struct bytes){part, (size_t)n}) < 0)
            break;
        whole = proxy_is_begun(buf_bytes(&c->in))
                    ? proxy_parse(buf_bytes(&c->in), &client, &known)
                    : -1;
    }
    buf_deinit(&c->in);
    if (whole <= 0 || (known && !set_client(c, &client)))
        conn_abort(c);
    c->begun = c->unwrapped = true;
    return c->state != CONN_DEAD;
}

/* Handles the request at the start of c->in once its head is whole. */
static void try_request(struct conn *c)
{
    if (!c->begun && !take_proxy_header(c))
        return;
    /* RFC 9112 2.2: an empty line before the request line is passed over. */
    size_t empty = 0;
    while (empty + 2 <= c->in.len && memcmp(c->in.at + empty, "\r\n", 2) == 0)
        empty += 2;
    if (empty) {
        buf_consume(&c->in, empty);
        c->searched = 0;
    }
    if (c->in.len == 0)
        return;
    if (!http_is_token_byte(c->in.at[0]) && c->in.at[0] != '\r') {
        refuse(c, 400, "this is not HTTP; is it TLS to a port without?", NULL);
        return;
    }
    size_t end = http_head_end(buf_bytes(&c->in), c->searched);
    if (!end) {
        c->searched = (uint32_t)c->in.len;
        if (c->in.len > c->env->http.head)
            refuse_large_head(c, LIMIT_HEAD);
        return;
    }
    struct http_head head;
    struct bytes head_bytes = {c->in.at, end};
    int status = http_head_parse(head_bytes, &c->env->http, &head);
    if (status == 431)
        refuse_large_head(c, end > c->env->http.head ? LIMIT_HEAD : LIMIT_FIELDS);
    else if (status)
        refuse(c, status, "malformed request", NULL);
    else
        respond(c, &head, head_bytes);
    if (c->upgraded && c->in.len > end) { /* from now on c->in is c->reason */
        struct buf rest = c->in;
        c->in = (struct buf){0};
        decode(c, rest.at + end, rest.len - end);
        buf_deinit(&rest);
    } else if (c->state == CONN_BODY) {
        struct buf rest = c->in;
        c->in = (struct buf){0};
        take_body(c, bytes_skip(buf_bytes(&rest), end));
        buf_deinit(&rest);
    } else {
        buf_consume(&c->in, end);
    }
}

static void receive_head(struct conn *c, struct bytes data)
{
    if (buf_append(&c->in, data) < 0)
        conn_abort(c);
    else
        try_request(c);
}

/* --- WebSocket ----------------------------------------------------------- */

static void fail(struct conn *c, uint16_t code, const char *why)
{
    bool said = c->state == CONN_CLOSING;
    note_close(c, code, bytes_of(why));
    if (!said)
        queue_moved(c, outframe_new_close(code, bytes_of(why)));
    enter_last(c);
}

static void receive_close(struct conn *c, const struct messages_out *out)
{
    bool said = c->state == CONN_CLOSING;
    note_close(c, out->code, out->data);
    if (!said)
        queue_moved(c, outframe_new_close(out->code, (struct bytes){0}));
    enter_last(c);
}

static void pong(struct conn *c, struct bytes data)
{
    struct outframe *f = outframe_new(WS_PONG, data);
    if (!f)
        conn_abort(c);
    else if (conn_send(c, f) == SEND_FULL)
        conn_too_slow(c, f, false);
    outframe_unref(f);
}

/* Inflates a compressed message in *out. False: the connection failed. */
static bool inflate_message(struct conn *c, struct messages_out *out)
{
    int code =
        deflate_inflate(c->env->deflate, out->data, c->env->messages.message, &out->data);
    if (code == 0 && !out->binary && !utf8_is_valid(out->data))
        code = WS_CLOSE_BAD_DATA;
    if (code == WS_CLOSE_TOO_BIG)
        reached(c, LIMIT_MESSAGE);
    if (code)
        fail(c, (uint16_t)code,
             code == WS_CLOSE_TOO_BIG ? "the message is too big"
                                      : "bad compressed message");
    return code == 0;
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
        reached(c, messages > 0 ? LIMIT_RATE : LIMIT_BYTE_RATE);
        if (f)
            (void)conn_send(c, f);
        outframe_unref(f);
    }
    return false;
}

static void take_message(struct conn *c, struct messages_out *out)
{
    size_t packed = out->data.len;
    if (!afford(c, 1, packed) || (out->compressed && !inflate_message(c, out)))
        return;
    if (out->data.len > packed && !afford(c, 0, out->data.len - packed))
        return;
    stats_add(&c->env->stats->messages_in, 1);
    if (c->env->on_message(c, out->data, out->binary) < 0)
        fail(c, WS_CLOSE_INTERNAL, "out of memory");
}

/* Keeps `s`, the conn's own or a fresh one, for the bytes that are still to come; nothing
 * if none are. */
static void keep_unfinished(struct conn *c, struct messages *s)
{
    bool idle = messages_is_idle(s);
    if (s == c->unfinished) {
        if (idle) {
            messages_deinit(s);
            free(s);
            c->unfinished = NULL;
        }
        return;
    }
    c->unfinished = idle ? NULL : malloc(sizeof *s);
    if (c->unfinished) {
        *c->unfinished = *s;
    } else {
        messages_deinit(s);
        if (!idle)
            fail(c, WS_CLOSE_INTERNAL, "out of memory");
    }
}

/* Handles what came on an upgraded connection; `at` is unmasked in place. */
static void decode(struct conn *c, uint8_t *at, size_t len)
{
    struct messages_in in = {at, len};
    struct messages_out out;
    struct messages fresh, *s = c->unfinished;
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
                reached(c,
                        out.code == WS_CLOSE_TOO_BIG ? LIMIT_MESSAGE : LIMIT_FRAGMENTS);
            fail(c, out.code, out.why);
            break;
        }
    }
    messages_deinit(s); /* the end: what is still to come is swallowed */
}

enum send_result conn_send(struct conn *c, struct outframe *f)
{
    if (c->state != CONN_OPEN)
        return SEND_GONE;
    if (c->deflate_bits)
        f = deflate_frame(c->env->deflate, f, c->deflate_bits);
    size_t len = outframe_bytes(f).len;
    bool over = c->out.bytes + len > c->env->queue_max;
    if (c->out.count && /* one message always fits an empty queue */
        (over || c->env->queued + len > c->env->queued_max)) {
        c->full = over ? LIMIT_QUEUE : LIMIT_QUEUED;
        return SEND_FULL;
    }
    size_t before = held(c);
    if (outq_push(&c->out, f) < 0) {
        conn_abort(c);
        return SEND_GONE;
    }
    count_queued(c, before);
    return SEND_OK;
}

void conn_close(struct conn *c, uint16_t code, struct bytes reason)
{
    if (c->state != CONN_OPEN)
        return;
    note_close(c, code, reason);
    c->state = CONN_CLOSING;
    wait_for(c, CONN_WAIT_CLOSE);
    queue_moved(c, outframe_new_close(code, reason));
}

void conn_too_slow(struct conn *c, const struct outframe *lost, bool drop)
{
    if (c->state != CONN_OPEN)
        return;
    reached(c, (enum limit)c->full);
    stats_add(&c->env->stats->dropped, lost->messages);
    if (drop)
        return;
    stats_add(&c->env->stats->slow_closed, 1);
    size_t before = held(c);
    outq_drop_unsent(&c->out, c->greeted ? 0 : 1);
    count_queued(c, before);
    fail(c, WS_CLOSE_TRY_LATER, "too slow");
}

/* --- both ---------------------------------------------------------------- */

static void receive(struct conn *c, uint8_t *at, size_t len)
{
    switch ((enum conn_state)c->state) {
    case CONN_HEAD:
        receive_head(c, (struct bytes){at, len});
        break;
    case CONN_BODY:
        take_body(c, (struct bytes){at, len});
        break;
    case CONN_ASKED:
    case CONN_ANSWER:
        if (buf_append(&c->in, (struct bytes){at, len}) < 0)
            conn_abort(c);
        break;
    case CONN_OPEN:
    case CONN_CLOSING:
        c->unanswered = false;
        decode(c, at, len);
        break;
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
    if (awaits_raw_proxy_header(c) && !take_raw_proxy_header(c))
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
    if (c->state == CONN_ANSWER && c->keep_alive) {
        enter_head(c);
        if (c->in.len)
            try_request(c);
    } else if (c->state == CONN_ANSWER || c->state == CONN_LAST) {
        c->stream->ops->shutdown(c->stream);
        c->state = CONN_LINGER;
        c->over = true;
        wait_for(c, CONN_WAIT_CLOSE);
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
    size_t before = held(c);
    outq_advance(&c->out, n);
    c->greeted = c->upgraded;
    count_queued(c, before);
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
    if (c->out.count == 0) /* else the socket is full */
        conn_flush(c);
}

bool conn_takes_deflated(const struct conn *c)
{
    return c->deflate_bits == 15;
}

void conn_flush(struct conn *c)
{
    while (c->state != CONN_DEAD && write_out(c)) {
        flushed(c);
        if (c->out.count == 0)
            return;
    }
}

void conn_pause(struct conn *c, bool paused)
{
    c->paused = paused;
    c->unanswered = false; /* its time begins again */
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
        return c->in.len == 0;
    case CONN_OPEN:
        return !c->paused;
    case CONN_ANSWER:
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
    *reason = buf_bytes(&c->reason);
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
        if (c->in.len || c->request || !c->begun)
            reached(c, LIMIT_HEAD_TIME);
        if ((c->in.len || c->request) && !awaits_raw_proxy_header(c))
            refuse(c, 408, "the request did not come in time", NULL);
        else
            conn_abort(c);
        break;
    case CONN_WAIT_RESPONSE:
        reached(c, LIMIT_ANSWER_TIME);
        refuse(c, 503, "no answer in time, try again later", "Retry-After: 5\r\n");
        break;
    case CONN_WAIT_PING:
        if (conn_send(c, c->env->ping) == SEND_FULL)
            conn_too_slow(c, c->env->ping, false);
        if (c->state == CONN_OPEN) {
            c->unanswered = true;
            wait_for(c, CONN_WAIT_PONG);
        }
        break;
    case CONN_WAIT_PONG:
        if (!c->unanswered || c->paused) { /* whom we do not read can't answer */
            wait_for(c, CONN_WAIT_PING);
            break;
        }
        reached(c, LIMIT_PING_TIMEOUT);
        conn_abort(c);
        break;
    case CONN_WAIT_CLOSE:
        if (c->state == CONN_CLOSING)
            reached(c, LIMIT_CLOSE_TIME);
        conn_abort(c);
        break;
    case CONN_WAIT_ANSWER:
    case CONN_WAIT_KINDS:
        conn_abort(c);
        break;
    }
}
