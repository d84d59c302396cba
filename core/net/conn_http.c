/* conn_http: requests in, plain answers and scripted responses out, and the upgrade.
 *
 * Words: a *plain answer* is ours (a page, an error); a *scripted response* is what the
 * rules answer to a request for one of their routes. Both leave as one outframe, in
 * ANSWERING. */
#include "net/conn_http.h"

#include "net/conn_proxy.h"
#include "net/conn_ws.h"
#include "net/page.h"
#include "net/request.h"
#include "wire/origin.h"
#include "wire/routes.h"
#include "wire/upgrade.h"

#include <stdio.h>

enum {
    PROTOCOL_MAX = 128,         /* a subprotocol's name, as app.c checks it */
    PLAIN_BODY_MAX = 64 * 1024, /* bytes of a body that is passed over */
    REFUSAL_MAX = 512, /* bytes of an answer that leaves though the sum is spent */
};

static void drop_request(struct conn *c)
{
    size_t before = conn_held(c);
    conn_drop_kept(c);
    conn_count_held(c, before);
}

/* A plain answer that says `why` and is the last one. */
static struct outframe *refusal(const struct conn *c, int status, const char *why,
                                const char *fields)
{
    return answer_error(&(struct answer){.status = status,
                                         .fields = fields,
                                         .date = c->env->date,
                                         .head_only = c->head_only},
                        why);
}

/* `f`, a plain answer or a scripted response, leaves. Whatever it is, it passes here and
 * is counted if it refuses. False: it does not, as there is no room for it. */
static bool answer(struct conn *c, struct outframe *f, bool keep_alive)
{
    bool has_room = f != NULL;
    drop_request(c);
    size_t len = f ? outframe_bytes(f).len : 0;
    if (len > REFUSAL_MAX && !quota_has(&c->env->held, conn_cost(c, 1, len))) {
        conn_reached(c, LIMIT_QUEUED);
        outframe_unref(f);
        f = refusal(c, 503, "too busy, try again later", "Retry-After: 5\r\n");
        keep_alive = has_room = false;
    }
    if (f && answer_status(f) >= 400)
        stats_add(&c->env->stats->refused, 1);
    c->keep_alive = keep_alive;
    c->state = CONN_ANSWERING;
    conn_wait_for(c, CONN_WAIT_ANSWERED);
    conn_queue_moved(c, f);
    return has_room;
}

static void refuse(struct conn *c, int status, const char *why, const char *fields)
{
    answer(c, refusal(c, status, why, fields), false);
}

static void refuse_large_head(struct conn *c, enum limit which)
{
    conn_reached(c, which);
    refuse(c, 431, "the request's head is too large", NULL);
}

static void refuse_stopping(struct conn *c)
{
    refuse(c, 503, "the server is stopping", "Retry-After: 5\r\n");
}

/* Whether what a proxy said lets the request go on; else it has been refused. */
static bool is_let_in(struct conn *c, enum proxy_verdict verdict, const char *malformed)
{
    if (verdict == PROXY_MALFORMED)
        refuse(c, 400, malformed, NULL);
    else if (verdict == PROXY_TURNED_AWAY)
        refuse(c, 429, "too many connections from your address", "Retry-After: 5\r\n");
    return verdict == PROXY_DONE;
}

/* Whether the client that a proxy speaks for, and a page's origin, may have more than
 * pages from us; else the request has been refused. */
static bool may_ask(struct conn *c, const struct http_head *head)
{
    if (!is_let_in(c, conn_proxy_believe(c, head),
                   "Forwarded and X-Forwarded-For contradict each other"))
        return false;
    const struct http_field *origin = http_find(head, "Origin");
    if (!origin || /* no browser's */
        origin_is_allowed(origin->value, head->host, c->env->origins,
                          c->env->origin_count))
        return true;
    refuse(c, 403,
           "pages from this origin may not connect; the operator allows them with "
           "--origin",
           NULL);
    return false;
}

/* Switches to WebSocket. `head` lies at the start of c->http.in, frames perhaps behind
 * it. */
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
    if (!may_ask(c, head))
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
    struct buf in = conn_enter_ws(c);
    conn_queue_moved(c, outframe_new_raw((struct bytes){(uint8_t *)response, n}));
    if (in.len > head_bytes.len)
        conn_ws_receive(c, in.at + head_bytes.len, in.len - head_bytes.len);
    buf_deinit(&in);
}

static void refuse_method(struct conn *c, unsigned methods)
{
    char allow[ROUTES_ALLOW_SIZE];
    routes_allow(methods, allow);
    answer(c,
           answer_new(&(struct answer){.status = 405,
                                       .fields = allow,
                                       .date = c->env->date,
                                       .body = bytes_of("405 Method Not Allowed\n"),
                                       .head_only = c->head_only}),
           false);
}

static void refuse_request(struct conn *c, enum request_kind kind, int status)
{
    if (status == 413 && kind == REQUEST_FOR_RULES)
        conn_reached(c, LIMIT_BODY);
    refuse(c, status, request_fault(status), status == 503 ? "Retry-After: 5\r\n" : NULL);
}

/* The body of `head`, which lies at the start of c->http.in, follows. */
static void enter_body(struct conn *c, enum request_kind kind,
                       const struct http_head *head, struct bytes head_bytes)
{
    int status;
    size_t before = conn_held(c);
    size_t max = kind == REQUEST_PLAIN ? PLAIN_BODY_MAX : c->env->body_max;
    struct request *request = request_new(kind, head, head_bytes, max, &status);
    if (!request) {
        refuse_request(c, kind, status);
        return;
    }
    c->http.request = request;
    c->http.keeps = KEEPS_REQUEST;
    conn_count_held(c, before);
    c->state = CONN_BODY;
    conn_wait_for(c, CONN_WAIT_HEAD);
    if (c->http.in.len == head_bytes.len && request_awaits_continue(head))
        conn_queue_moved(c, outframe_new_raw(bytes_of("HTTP/1.1 100 Continue\r\n\r\n")));
}

/* A request for the rules, which answer `methods` there; its body follows. `head` lies at
 * the start of c->http.in. */
static void begin_request(struct conn *c, const struct http_head *head,
                          struct bytes head_bytes, unsigned methods)
{
    if (!routes_takes(methods, head->method)) {
        refuse_method(c, methods);
        return;
    }
    if (!may_ask(c, head))
        return;
    if (rate_take(&c->messages, c->env->now_ms, c->env->messages_a_second, 1) > 0) {
        conn_reached(c, LIMIT_RATE);
        refuse(c, 429, "too many requests a second", "Retry-After: 1\r\n");
        return;
    }
    /* The next request through a proxy may be another client's. */
    c->keep_alive = http_keep_alive(head) && !c->proxied;
    enter_body(c, REQUEST_FOR_RULES, head, head_bytes);
}

void conn_respond(struct conn *c, const struct answer *a)
{
    struct answer whole = *a;
    if (c->state != CONN_ASKED)
        return;
    whole.head_only = c->head_only;
    whole.date = c->env->date;
    whole.keep_alive = c->keep_alive && !c->env->is_draining;
    answer(c, answer_new(&whole), whole.keep_alive);
}

bool conn_awaits_response(const struct conn *c)
{
    return c->state == CONN_ASKED;
}

bool conn_is_answering(const struct conn *c)
{
    return c->state == CONN_ANSWERING;
}

void conn_give_up_request(struct conn *c, bool now)
{
    if (c->state == CONN_BODY || (now && c->state == CONN_ASKED))
        refuse_stopping(c);
}

/* A file of the page, or what is answered where there is none. */
static void answer_page(struct conn *c, const struct http_head *head)
{
    struct page_answer page;
    page_answer(c->env->page, head, &page);
    page.answer.date = c->env->date;
    page.answer.head_only = c->head_only;
    page.answer.keep_alive = http_keep_alive(head);
    bool is_queued = answer(c, answer_new(&page.answer), page.answer.keep_alive);
    if (is_queued && page.rest) {
        c->http.file = page.rest;
        c->http.keeps = KEEPS_FILE;
        page.rest = NULL;
    }
    page_answer_deinit(&page);
}

bool conn_http_continue(struct conn *c)
{
    struct outframe *piece = NULL;
    if (c->http.keeps != KEEPS_FILE)
        return false;
    if (quota_has(&c->env->held, conn_cost(c, 1, FILE_PIECE_BYTES)))
        piece = file_next(c->http.file);
    else
        conn_reached(c, LIMIT_QUEUED);
    if (!piece || file_left(c->http.file) == 0)
        conn_drop_kept(c);
    if (piece)
        conn_queue_moved(c, piece);
    else
        c->keep_alive = false; /* a part has left: all that can be said is the end */
    return piece != NULL;
}

/* A plain answer: what is here for those who ask for nothing of the rules'. */
static void answer_plainly(struct conn *c, const struct http_head *head)
{
    if (bytes_equal(head->path, bytes_of("/healthz"))) {
        struct answer ok = {.status = 200,
                            .body = bytes_of("ok\n"),
                            .fields = "Cache-Control: no-store\r\n",
                            .date = c->env->date,
                            .head_only = c->head_only,
                            .keep_alive = http_keep_alive(head)};
        (void)answer(c, answer_new(&ok), ok.keep_alive);
    } else {
        answer_page(c, head);
    }
}

/* A request that is not for the rules. A body with it has no meaning (RFC 9110 9.3.1),
 * but some libraries send one; it is passed over first, so that the next request is
 * found. */
static void begin_plain(struct conn *c, const struct http_head *head,
                        struct bytes head_bytes)
{
    if (!c->head_only && !bytes_equal(head->method, bytes_of("GET")))
        refuse(c, 405, "only GET, HEAD and WebSocket upgrades are served here",
               "Allow: GET, HEAD\r\n");
    else if (http_has_body(head))
        enter_body(c, REQUEST_PLAIN, head, head_bytes);
    else
        answer_plainly(c, head);
}

/* The request whose body has come was plain. */
static void end_plain(struct conn *c)
{
    struct http_head
        head; /* was parsed before, but its slices did not outlive the body */
    if (http_head_parse(request_head(c->http.request), &c->env->http, &head) == 0)
        answer_plainly(c, &head);
    else
        conn_abort(c);
}

/* The request for the rules is whole. */
static void ask(struct conn *c)
{
    struct request *r = c->http.request;
    if (c->env->on_request(c, request_head(r), request_body(r)) < 0) {
        refuse_request(c, REQUEST_FOR_RULES, 503);
        return;
    }
    drop_request(c);
    c->state = CONN_ASKED;
    conn_wait_for(c, CONN_WAIT_RESPONSE);
}

/* More of the body; the next request may come behind it. */
static void take_body(struct conn *c, struct bytes in)
{
    enum request_kind kind = request_kind(c->http.request);
    size_t before = conn_held(c);
    int status = 503;
    if (quota_has(&c->env->held, in.len))
        status = request_take(c->http.request, &in);
    else
        conn_reached(c, LIMIT_QUEUED);
    conn_count_held(c, before);
    if (status && status != REQUEST_WHOLE) {
        refuse_request(c, kind, status);
    } else if (status) {
        if (kind == REQUEST_FOR_RULES)
            ask(c);
        else
            end_plain(c);
        if (in.len && buf_append(&c->http.in, in) < 0)
            conn_abort(c);
    }
}

/* A whole head, at the start of c->http.in. */
static void take_request(struct conn *c, const struct http_head *head,
                         struct bytes head_bytes)
{
    unsigned methods = routes_methods(c->env->routes, head->path);
    if (c->env->is_draining)
        refuse_stopping(c);
    else if (upgrade_is_asked(head))
        upgrade(c, head, head_bytes);
    else if (methods)
        begin_request(c, head, head_bytes, methods);
    else
        begin_plain(c, head, head_bytes);
}

/* Handles the request at the start of c->in once its head is whole. */
static void try_request(struct conn *c)
{
    if (!c->begun && !is_let_in(c, conn_proxy_take(c), "malformed PROXY header"))
        return;
    /* RFC 9112 2.2: an empty line before the request line is passed over. */
    size_t empty = 0;
    while (empty + 2 <= c->http.in.len && memcmp(c->http.in.at + empty, "\r\n", 2) == 0)
        empty += 2;
    if (empty) {
        buf_consume(&c->http.in, empty);
        c->http.searched = 0;
    }
    if (c->http.in.len == 0)
        return;
    /* Known before the head is, for what refuses a head that is never read. */
    c->head_only = c->http.in.len > 5 && memcmp(c->http.in.at, "HEAD ", 5) == 0;
    if (!http_is_token_byte(c->http.in.at[0]) && c->http.in.at[0] != '\r') {
        refuse(c, 400, "this is not HTTP; is it TLS to a port without?", NULL);
        return;
    }
    size_t end = http_head_end(buf_bytes(&c->http.in), c->http.searched);
    if (!end) {
        c->http.searched = (uint32_t)c->http.in.len;
        if (c->http.in.len > c->env->http.head)
            refuse_large_head(c, LIMIT_HEAD);
        return;
    }
    struct http_head head;
    struct bytes head_bytes = {c->http.in.at, end};
    int status = http_head_parse(head_bytes, &c->env->http, &head);
    if (status == 431)
        refuse_large_head(c, end > c->env->http.head ? LIMIT_HEAD : LIMIT_FIELDS);
    else if (status)
        refuse(c, status, "malformed request", NULL);
    else
        take_request(c, &head, head_bytes);
    if (c->upgraded)
        return;
    if (c->state != CONN_BODY) {
        buf_consume(&c->http.in, end);
        return;
    }
    struct buf rest = c->http.in;
    c->http.in = (struct buf){0};
    take_body(c, bytes_skip(buf_bytes(&rest), end));
    buf_deinit(&rest);
}

void conn_http_receive(struct conn *c, struct bytes data)
{
    if (c->wait == CONN_WAIT_NEXT)
        conn_wait_for(c, CONN_WAIT_HEAD);
    if (c->state == CONN_BODY)
        take_body(c, data);
    else if (buf_append(&c->http.in, data) < 0)
        conn_abort(c);
    else if (c->state == CONN_HEAD) /* else the one before is not answered yet */
        try_request(c);
}

void conn_http_next(struct conn *c)
{
    conn_enter_head(c, c->http.in.len ? CONN_WAIT_HEAD : CONN_WAIT_NEXT);
    if (c->http.in.len)
        try_request(c);
}

void conn_http_timeout(struct conn *c)
{
    bool begun = c->http.in.len || c->http.keeps == KEEPS_REQUEST;
    if (c->wait == CONN_WAIT_NEXT) {
        conn_enter_last(c);
        return;
    }
    if (c->wait == CONN_WAIT_RESPONSE) {
        conn_reached(c, LIMIT_ANSWER_TIME);
        refuse(c, 503, "no answer in time, try again later", "Retry-After: 5\r\n");
        return;
    }
    if (begun || !c->begun)
        conn_reached(c, LIMIT_HEAD_TIME);
    if (begun && !conn_proxy_awaits_raw(c))
        refuse(c, 408, "the request did not come in time", NULL);
    else
        conn_abort(c);
}
