/* conn_http: requests in: their heads and bodies, and who answers them: the page, the
 * rules, or WebSocket after an upgrade. What leaves is in conn_answer, who may ask in
 * conn_admit. */
#include "net/conn_http.h"

#include "net/conn_admit.h"
#include "net/conn_answer.h"
#include "net/conn_proxy.h"
#include "net/conn_upgrade.h"
#include "net/page.h"
#include "net/request.h"
#include "wire/origin.h"
#include "wire/routes.h"
#include "wire/upgrade.h"

#include <stdio.h>

enum { PLAIN_BODY_MAX = 64 * 1024 /* bytes of a body that is passed over */ };

static void refuse_large_head(struct conn *c, enum limit which)
{
    conn_reached(c, which);
    conn_refuse(c, NULL, 431, "the request's head is too large", NULL);
}

static void refuse_stopping(struct conn *c)
{
    conn_refuse(c, NULL, 503, "the server is stopping", "Retry-After: 5\r\n");
}

/* Switches to WebSocket. The head lies at the start of c->http.in, frames perhaps behind
 * it. */
static void upgrade(struct conn *c, const struct asked *asked)
{
    const struct http_head *head = asked->head;
    char accept[UPGRADE_ACCEPT_SIZE];
    struct upgrade_refusal refusal;
    if (upgrade_check(head, accept, &refusal) < 0) {
        conn_refuse(c, head, refusal.status, refusal.why,
                    refusal.status == 426
                        ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    : refusal.status == 405 ? "Allow: GET\r\n"
                                            : NULL);
        return;
    }
    if (!conn_admit(c, asked))
        return;
    conn_upgrade(c, head, asked->text, accept);
}

static void refuse_method(struct conn *c, unsigned methods)
{
    char allow[ROUTES_ALLOW_SIZE];
    routes_allow(methods, allow);
    (void)conn_answer(c, &(struct answer){.status = 405,
                                          .fields = allow,
                                          .body = bytes_of("405 Method Not Allowed\n")});
}

static void refuse_request(struct conn *c, enum request_kind kind, int status)
{
    if (status == 413 && kind == REQUEST_FOR_RULES)
        conn_reached(c, LIMIT_BODY);
    conn_refuse(c, NULL, status, request_fault(status),
                status == 503 ? "Retry-After: 5\r\n" : NULL);
}

/* The body of the request, whose head lies at the start of c->http.in, follows. */
static void enter_body(struct conn *c, enum request_kind kind, const struct asked *asked)
{
    int status;
    size_t max = kind == REQUEST_PLAIN ? PLAIN_BODY_MAX : c->env->body_max;
    struct request *request = request_new(kind, asked->head, asked->text, max, &status);
    if (!request) {
        refuse_request(c, kind, status);
        return;
    }
    c->http.request = request;
    c->http.keeps = KEEPS_REQUEST;
    if (!conn_may_hold(c)) {
        refuse_request(c, kind, 503);
        return;
    }
    c->state = CONN_BODY;
    conn_wait_for(c, CONN_WAIT_HEAD);
    if (c->http.in.len == asked->text.len && request_awaits_continue(asked->head))
        conn_queue_moved(c, outframe_new_raw(bytes_of("HTTP/1.1 100 Continue\r\n\r\n")));
}

/* Remembers a page's origin, for the answers to its request. An allowed one is no longer
 * than ORIGIN_MAX, but for "*". Returns 0 or -1. */
static int keep_origin(struct conn *c, const struct http_head *head)
{
    const struct http_field *origin = http_find(head, "Origin");
    if (!origin || origin->value.len >= ORIGIN_MAX)
        return 0;
    c->http.origin = strndup((const char *)origin->value.at, origin->value.len);
    return c->http.origin ? 0 : -1;
}

/* What a browser asks before a page of another origin may send JSON, an Authorization or
 * a DELETE (the Fetch standard, 3.2.2). Whatever fields it wants to send it may: which of
 * them count is the rules' matter. */
static void answer_preflight(struct conn *c, const struct http_head *head,
                             unsigned methods)
{
    char allow[ROUTES_ALLOW_SIZE], fields[2048];
    const struct http_field *wanted = http_find(head, "Access-Control-Request-Headers");
    bool has_wanted = wanted && wanted->value.len && wanted->value.len < 1024;
    routes_allow(methods, allow);
    snprintf(fields, sizeof fields,
             "Access-Control-Allow-Methods%s%s%.*s%sAccess-Control-Max-Age: 600\r\n",
             strchr(allow, ':'), has_wanted ? "Access-Control-Allow-Headers: " : "",
             has_wanted ? (int)wanted->value.len : 0,
             has_wanted ? (const char *)wanted->value.at : "", has_wanted ? "\r\n" : "");
    (void)conn_answer(
        c, &(struct answer){.status = 204,
                            .fields = fields,
                            .keep_alive = http_keep_alive(head) && !c->proxied});
}

static bool is_preflight(const struct http_head *head)
{
    return bytes_equal(head->method, bytes_of("OPTIONS")) && http_find(head, "Origin") &&
           http_find(head, "Access-Control-Request-Method") && !http_has_body(head);
}

/* A request for the rules, which answer `methods` there; its body follows. */
static void begin_request(struct conn *c, const struct asked *asked, unsigned methods)
{
    const struct http_head *head = asked->head;
    bool preflight = is_preflight(head);
    if (!preflight && !routes_takes(methods, head->method)) {
        refuse_method(c, methods);
        return;
    }
    if (!conn_admit(c, asked))
        return;
    if (keep_origin(c, head) < 0) {
        conn_refuse(c, head, 503, "out of memory, try again later", "Retry-After: 5\r\n");
        return;
    }
    if (rate_take(&c->messages, c->env->now_ms, c->env->messages_a_second, 1) > 0) {
        conn_reached(c, LIMIT_RATE);
        conn_refuse(c, head, 429, "too many requests a second", "Retry-After: 1\r\n");
        return;
    }
    if (preflight) {
        answer_preflight(c, head, methods);
        return;
    }
    /* The next request through a proxy may be another client's. */
    c->keep_alive = http_keep_alive(head) && !c->proxied;
    enter_body(c, REQUEST_FOR_RULES, asked);
}

void conn_give_up_request(struct conn *c, bool now)
{
    if (c->state == CONN_BODY || (now && c->state == CONN_ASKED))
        refuse_stopping(c);
}

/* A plain answer: what is here for those who ask for nothing of the rules'. */
static void answer_plainly(struct conn *c, const struct http_head *head)
{
    struct page_answer page = {0};
    if (bytes_equal(head->path, bytes_of("*"))) /* what the server can, RFC 9110 9.3.7 */
        page.answer =
            (struct answer){.status = 204, .fields = "Allow: GET, HEAD, OPTIONS\r\n"};
    else if (bytes_equal(head->path, bytes_of("/healthz")))
        page.answer = (struct answer){.status = 200,
                                      .body = bytes_of("ok\n"),
                                      .fields = "Cache-Control: no-store\r\n"};
    else
        page_answer(c->env->page, head, &page);
    page.answer.keep_alive = http_keep_alive(head);
    conn_answer_file(c, &page.answer, page.rest);
    page.rest = NULL;
    page_answer_deinit(&page);
}

/* A request that is not for the rules. A body with it has no meaning (RFC 9110 9.3.1),
 * but some libraries send one; it is passed over first, so that the next request is
 * found. */
static void begin_plain(struct conn *c, const struct asked *asked)
{
    const struct http_head *head = asked->head;
    if (!c->head_only && !bytes_equal(head->method, bytes_of("GET")) &&
        !bytes_equal(head->path, bytes_of("*")))
        conn_refuse(c, head, 405, "only GET, HEAD and WebSocket upgrades are served here",
                    "Allow: GET, HEAD\r\n");
    else if (http_has_body(head))
        enter_body(c, REQUEST_PLAIN, asked);
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
    conn_drop_request(c);
    c->state = CONN_ASKED;
    conn_wait_for(c, CONN_WAIT_RESPONSE);
}

/* More of the body; the next request may come behind it. */
static void take_body(struct conn *c, struct bytes in)
{
    enum request_kind kind = request_kind(c->http.request);
    int status = request_take(c->http.request, &in);
    if (!conn_may_hold(c))
        status = 503;
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
static void take_request(struct conn *c, struct http_head *head, struct bytes text)
{
    struct asked asked = {.head = head, .text = text};
    unsigned methods = routes_methods(c->env->routes, head->path);
    conn_admit_read(c, &asked);
    head->host = asked.host; /* a proxy may know better; refusals are told with it */
    if (c->env->is_draining)
        refuse_stopping(c);
    else if (!conn_admit_host(c, &asked))
        return;
    else if (upgrade_is_asked(head))
        upgrade(c, &asked);
    else if (methods)
        begin_request(c, &asked, methods);
    else
        begin_plain(c, &asked);
}

/* Handles the request at the start of c->in once its head is whole. */
static void try_request(struct conn *c)
{
    if (!c->begun &&
        !conn_admit_verdict(c, NULL, conn_proxy_take(c), "malformed PROXY header"))
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
        conn_refuse(c, NULL, 400,
                    c->stream->secure ? "this is not HTTP"
                                      : "this is not HTTP; is it TLS to a port without?",
                    NULL);
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
        conn_refuse(c, NULL, status, "malformed request", NULL);
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

/* The sum has no room for what has come of a request. One that is being answered is the
 * last then: the next can come again on another connection. */
static void forget_input(struct conn *c)
{
    buf_deinit(&c->http.in);
    c->keep_alive = false;
    if (c->state == CONN_HEAD)
        conn_refuse(c, NULL, 503, "too busy, try again later", "Retry-After: 5\r\n");
    else
        conn_count_held(c);
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
    if (!c->upgraded && !conn_may_hold(c))
        forget_input(c);
}

void conn_http_next(struct conn *c)
{
    conn_enter_head(c, c->http.in.len ? CONN_WAIT_HEAD : CONN_WAIT_NEXT);
    if (c->http.in.len)
        try_request(c);
    if (!c->upgraded)
        conn_count_held(c);
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
        conn_refuse(c, NULL, 503, "no answer in time, try again later",
                    "Retry-After: 5\r\n");
        return;
    }
    if (begun || !c->begun)
        conn_reached(c, LIMIT_HEAD_TIME);
    if (begun && !conn_proxy_awaits_raw(c))
        conn_refuse(c, NULL, 408, "the request did not come in time", NULL);
    else
        conn_abort(c);
}
