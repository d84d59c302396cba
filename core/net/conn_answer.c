/* conn_answer: Words: a *plain answer* is ours (a page, an error); a *scripted response*
 * is what the rules answer to a request for one of their routes. Both leave as one
 * outframe, in ANSWERING, a large file as one and then a piece at a time.
 *
 * A page of another host may read what it is answered if the answer says so (CORS, the
 * Fetch standard 3.2). It was let in by its origin when it asked, so every answer to that
 * request says it, a refusal too: else the page sees a network error where it could read
 * 429. The rules may say who reads their response themselves; then theirs counts. */
#include "net/conn_answer.h"

#include "net/file.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    REFUSAL_MAX = 1024, /* bytes of an answer that leaves though the sum is spent */
    OWN_MAX = 512,      /* bytes of the fields that the connection adds */
};

void conn_drop_request(struct conn *c)
{
    conn_drop_kept(c);
    conn_count_held(c);
}

/* Whether one of the field lines is called `name`. */
static bool has_field(const char *fields, const char *name)
{
    struct bytes rest = bytes_of(fields ? fields : "");
    while (rest.len) {
        struct bytes line = bytes_cut(&rest, '\n');
        if (bytes_equal_nocase(bytes_until(line, ':'), bytes_of(name)))
            return true;
    }
    return false;
}

static void write_own_fields(const struct conn *c, const struct answer *a,
                             char out[OWN_MAX])
{
    const char *origin = c->http.origin;
    bool varies = origin || (c->state == CONN_ASKED && c->env->origin_count);
    bool allows = origin && !has_field(a->fields, "Access-Control-Allow-Origin");
    int n = 0;
    if (c->env->hsts && c->stream->secure)
        n = snprintf(out, OWN_MAX, "Strict-Transport-Security: max-age=%lld\r\n",
                     (long long)c->env->hsts);
    snprintf(out + n, OWN_MAX - (size_t)n, "%s%s%s%s",
             allows ? "Access-Control-Allow-Origin: " : "", allows ? origin : "",
             allows ? "\r\n" : "", varies ? "Vary: Origin\r\n" : "");
}

/* `a` with what every answer on this connection says; with `why`, a text that says it. */
static struct outframe *make(const struct conn *c, const struct answer *a,
                             const char *why)
{
    char own[OWN_MAX] = "";
    struct answer whole = *a;
    write_own_fields(c, a, own);
    whole.own = own;
    whole.date = c->env->date;
    whole.head_only = c->head_only;
    return why ? answer_error(&whole, why) : answer_new(&whole);
}

/* `f` leaves, if there is room for it, or is small. */
static bool let_leave(struct conn *c, struct outframe *f, bool keep_alive)
{
    bool has_room = f != NULL;
    conn_drop_request(c);
    size_t len = f ? outframe_bytes(f).len : 0;
    if (len > REFUSAL_MAX && !quota_has(&c->env->held, conn_cost(c, 1, len))) {
        conn_reached(c, LIMIT_QUEUED);
        outframe_unref(f);
        f = make(c, &(struct answer){.status = 503, .fields = "Retry-After: 5\r\n"},
                 "too busy, try again later");
        keep_alive = has_room = false;
    }
    if (f && answer_status(f) >= 400)
        stats_add(&c->env->stats->refused, 1);
    free(c->http.origin);
    c->http.origin = NULL;
    c->keep_alive = keep_alive;
    c->state = CONN_ANSWERING;
    conn_wait_for(c, CONN_WAIT_ANSWERED);
    conn_queue_moved(c, f);
    return has_room;
}

bool conn_answer(struct conn *c, const struct answer *a)
{
    return let_leave(c, make(c, a, NULL), a->keep_alive);
}

void conn_answer_file(struct conn *c, const struct answer *a, struct file *rest)
{
    if (!conn_answer(c, a) || !rest) {
        file_free(rest);
        return;
    }
    c->http.file = rest;
    c->http.keeps = KEEPS_FILE;
}

bool conn_answer_continue(struct conn *c)
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

/* Whether a refusal is told of here: limits have lines of their own, and a lack of memory
 * has nothing to do with who asks. */
static bool is_told(int status)
{
    return status == 400 || status == 403 || status == 404 || status == 405 ||
           status == 421 || status == 426 || status == 501 || status == 505;
}

/* The path is left out, and with it the query: either may be a secret. */
static void note_refusal(const struct conn *c, const struct http_head *head, int status,
                         const char *why)
{
    char ip[ADDR_TEXT_MAX];
    const struct http_field *origin = head ? http_find(head, "Origin") : NULL;
    struct bytes said = origin ? origin->value : (struct bytes){0};
    struct bytes host = head ? head->host : (struct bytes){0};
    log_debug(c->env->log,
              "request refused status=%d reason=\"%s\" ip=%s origin=%.*s host=%.*s",
              status, why, addr_ip(&c->addr, ip), said.len < 200 ? (int)said.len : 200,
              (const char *)said.at, host.len < 200 ? (int)host.len : 200,
              (const char *)host.at);
    refusal_note(&c->env->stats->refusals, why, c->env->now_ms, c->env->log);
}

void conn_refuse(struct conn *c, const struct http_head *head, int status,
                 const char *why, const char *fields)
{
    if (is_told(status))
        note_refusal(c, head, status, why);
    (void)let_leave(c, make(c, &(struct answer){.status = status, .fields = fields}, why),
                    false);
}

void conn_respond(struct conn *c, const struct answer *a)
{
    struct answer whole = *a;
    if (c->state != CONN_ASKED)
        return;
    whole.keep_alive = c->keep_alive && !c->env->is_draining;
    (void)conn_answer(c, &whole);
}

bool conn_awaits_response(const struct conn *c)
{
    return c->state == CONN_ASKED;
}

bool conn_is_answering(const struct conn *c)
{
    return c->state == CONN_ANSWERING;
}
