/* conn_http: requests in: their heads and bodies, and who answers them: the page, the
 * rules, or WebSocket after an upgrade. */
#include "net/conn_http.h"

#include "net/conn_answer.h"
#include "net/conn_proxy.h"
#include "net/conn_upgrade.h"
#include "net/request.h"
#include "wire/origin.h"
#include "wire/routes.h"
#include "wire/upgrade.h"

enum { PLAIN_BODY_MAX = 64 * 1024 /* bytes of a body that is passed over */ };

static void refuse_large_head(struct conn *c, enum limit which)
{
    conn_reached(c, which);
    conn_refuse(c, 431, "the request's head is too large", NULL);
}

static void refuse_stopping(struct conn *c)
{
    conn_refuse(c, 503, "the server is stopping", "Retry-After: 5\r\n");
}

/* Whether what a proxy said lets the request go on; else it has been refused. */
static bool is_let_in(struct conn *c, enum proxy_verdict verdict, const char *malformed)
{
    if (verdict == PROXY_MALFORMED)
        conn_refuse(c, 400, malformed, NULL);
    else if (verdict == PROXY_TURNED_AWAY)
        conn_refuse(c, 429, "too many connections from your address",
                    "Retry-After: 5\r\n");
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
    conn_refuse(c, 403,
                "pages from this origin may not connect; the operator allows them with "
                "--origin",
                NULL);
    return false;
}

/* Switches to WebSocket. `head` lies at the start of c->http.in, frames perhaps behind
 * it. */
static void upgrade(struct conn *c, const struct http_head *head, struct bytes head_bytes)
{
    char accept[UPGRADE_ACCEPT_SIZE];
    struct upgrade_refusal refusal;
    if (upgrade_check(head, accept, &refusal) < 0) {
        conn_refuse(c, refusal.status, refusal.why,
                    refusal.status == 426
                        ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    : refusal.status == 405 ? "Allow: GET\r\n"
                                            : NULL);
        return;
    }
    if (!may_ask(c, head))
        return;
    conn_upgrade(c, head, head_bytes, accept);
}

static void refuse_method(struct conn *c, unsigned methods)
{
    char allow[ROUTES_ALLOW_SIZE];
    routes_allow(methods, allow);
    conn_answer(c,
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
    conn_refuse(c, status, request_fault(status),
                status == 503 ? "Retry-After: 5\r\n" : NULL);
}

/* The body of `head`, which lies at the start of c->http.in, follows. */
static void enter_body(struct conn *c, enum request_kind kind,
                       const struct http_head *head, struct bytes head_bytes)
{
    int status;
    size_t max = kind == REQUEST_PLAIN ? PLAIN_BODY_MAX : c->env->body_max;
    struct request *request = request_new(kind, head, head_bytes, max, &status);
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
        conn_refuse(c, 429, "too many requests a second", "Retry-After: 1\r\n");
        return;
    }
    /* The next request through a proxy may be another client's. */
    c->keep_alive = http_keep_alive(head) && !c->proxied;
    enter_body(c, REQUEST_FOR_RULES, head, head_bytes);
}

void conn_give_up_request(struct conn *c, bool now)
{
    if (c->state == CONN_BODY || (now && c->state == CONN_ASKED))
        refuse_stopping(c);
}

/* A plain answer: what is here for those who ask for nothing of the rules'. */
static void answer_plainly(struct conn *c, const struct http_head *head)
{
    if (bytes_equal(head->path,
                    bytes_of("*"))) { /* what the server can, RFC 9110 9.3.7 */
        struct answer all = {.status = 204,
                             .fields = "Allow: GET, HEAD, OPTIONS\r\n",
                             .date = c->env->date,
                             .keep_alive = http_keep_alive(head)};
        (void)conn_answer(c, answer_new(&all), all.keep_alive);
    } else if (bytes_equal(head->path, bytes_of("/healthz"))) {
        struct answer ok = {.status = 200,
                            .body = bytes_of("ok\n"),
                            .fields = "Cache-Control: no-store\r\n",
                            .date = c->env->date,
                            .head_only = c->head_only,
                            .keep_alive = http_keep_alive(head)};
        (void)conn_answer(c, answer_new(&ok), ok.keep_alive);
    } else {
        conn_answer_page(c, head);
    }
}

/* A request that is not for the rules. A body with it has no meaning (RFC 9110 9.3.1),
 * but some libraries send one; it is passed over first, so that the next request is
 * found. */
static void begin_plain(struct conn *c, const struct http_head *head,
                        struct bytes head_bytes)
{
    if (!c->head_only && !bytes_equal(head->method, bytes_of("GET")) &&
        !bytes_equal(head->path, bytes_of("*")))
        conn_refuse(c, 405, "only GET, HEAD and WebSocket upgrades are served here",
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
        conn_refuse(c, 400, "this is not HTTP; is it TLS to a port without?", NULL);
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
        conn_refuse(c, status, "malformed request", NULL);
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
        conn_refuse(c, 503, "too busy, try again later", "Retry-After: 5\r\n");
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
        conn_refuse(c, 503, "no answer in time, try again later", "Retry-After: 5\r\n");
        return;
    }
    if (begun || !c->begun)
        conn_reached(c, LIMIT_HEAD_TIME);
    if (begun && !conn_proxy_awaits_raw(c))
        conn_refuse(c, 408, "the request did not come in time", NULL);
    else
        conn_abort(c);
}
