/* conn_answer: how what is asked over HTTP is answered.
 *
 * Words: a *plain answer* is ours (a page, an error); a *scripted response* is what the
 * rules answer to a request for one of their routes. Both leave as outframes, in state
 * ANSWERING, and pass conn_answer, where the sum of what waits is asked and refusals are
 * counted. */
#include "net/conn_answer.h"

#include "net/file.h"
#include "net/page.h"

enum { REFUSAL_MAX = 512 /* bytes of an answer that leaves though the sum is spent */ };

void conn_drop_request(struct conn *c)
{
    conn_drop_kept(c);
    conn_count_held(c);
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

bool conn_answer(struct conn *c, struct outframe *f, bool keep_alive)
{
    bool has_room = f != NULL;
    conn_drop_request(c);
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

void conn_refuse(struct conn *c, int status, const char *why, const char *fields)
{
    conn_answer(c, refusal(c, status, why, fields), false);
}

void conn_respond(struct conn *c, const struct answer *a)
{
    struct answer whole = *a;
    if (c->state != CONN_ASKED)
        return;
    whole.head_only = c->head_only;
    whole.date = c->env->date;
    whole.keep_alive = c->keep_alive && !c->env->is_draining;
    conn_answer(c, answer_new(&whole), whole.keep_alive);
}

bool conn_awaits_response(const struct conn *c)
{
    return c->state == CONN_ASKED;
}

bool conn_is_answering(const struct conn *c)
{
    return c->state == CONN_ANSWERING;
}

void conn_answer_page(struct conn *c, const struct http_head *head)
{
    struct page_answer page;
    page_answer(c->env->page, head, &page);
    page.answer.date = c->env->date;
    page.answer.head_only = c->head_only;
    page.answer.keep_alive = http_keep_alive(head);
    bool is_queued = conn_answer(c, answer_new(&page.answer), page.answer.keep_alive);
    if (is_queued && page.rest) {
        c->http.file = page.rest;
        c->http.keeps = KEEPS_FILE;
        page.rest = NULL;
    }
    page_answer_deinit(&page);
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
