/* sequence: one client's order.
 *
 * A handler may wait (chat.sleep, chat.http), and its client talks on meanwhile. What it
 * says then is put off, in the order in which it came, and has its turn when the handler
 * has ended: script authors never see two handlers of one client interleave. Other
 * clients go on. Example: "buy" waits for a service, "say" and "buy" come: both are put
 * off; the reply wakes the first buy, which ends; say runs; the second buy runs and
 * waits. A client that piles up more than PENDING_MAX_BYTES, or anything while the sum
 * that all clients may hold is spent, is paused until then. What comes before the pause
 * reaches its shard can be megabytes, which were compressed: a client for which the sum
 * has no room is closed, but a few words (PENDING_PAST_BYTES) are kept all the same.
 *
 * A fault of a client (MAIL_FAULT) is answered with its Close, which is to come behind
 * the answers to what it said before. So it keeps its place in the queue as long as the
 * queue moves, and no longer: as soon as a handler waits, the Close goes, for nobody
 * holds a failed connection open.
 *
 * The end of a client overtakes this queue in one way: the handler that waits is woken
 * with "closed" and may not wait again, nor may those of the messages put off, so that
 * all of them have ended before on_close begins, in the same call of sequence_take. Then
 * on_close alone may wait. By then the client's slot is its shard's again (world.h has
 * the states), so nothing here finds it by slot. To keep the MAIL_CLOSED among the mail
 * put off was tried: it may need memory at the one moment that can't be repeated, and the
 * next client of the slot was handed this one's object. */
#include "script/sequence.h"

#include "base/clock.h"
#include "script/objects.h"
#include "script/route.h"
#include "script/task.h"
#include "wire/opcode.h"

#include <assert.h>

enum {
    PENDING_MAX_BYTES =
        256 * 1024, /* of one client whose handler waits; then it is paused */
    PENDING_PAST_BYTES = 4 * 1024, /* of them, kept though the sum is spent */
};

static void drop_pending(struct host *h, struct client_extras *x)
{
    quota_give(&h->held, x->pending.buf.len);
    buf_deinit(&x->pending.buf);
    x->pending_at = x->fault_at = 0;
}

static void remove_client(struct host *h, struct client *c)
{
    if (c->extras)
        drop_pending(h, c->extras);
    client_forget(h->vm.L, c);
    world_remove_client(&h->world, c);
    world_commit(&h->world);
}

static void go_on(struct host *h, struct client *c);

void sequence_run(struct host *h, struct run *r)
{
    struct client *c = r->client;
    struct task *task = r->task;
    bool ended = run_handler(h, r);
    if (r->asked && ended)
        route_end(h, r->asked);
    else if (r->asked)
        r->asked->task = r->task;
    if (ended && task && task == h->stopping)
        h->stopping = NULL;
    if (!c)
        return;
    bool waited = c->task != NULL;
    c->task = ended ? NULL : r->task;
    if (ended && r->handler == RUN_CLOSE)
        remove_client(h, c);
    else if (ended && waited)
        go_on(h, c);
}

/* MAIL_FAULT: the Close that its shard awaits, though not for ever: without memory it
 * says it itself. */
static void answer_fault(struct host *h, const struct mail *m)
{
    (void)world_close(&h->world, m->id, m->code, mail_bytes(m));
    world_commit(&h->world);
}

/* Handles one mail of a client whose handler does not wait; `c` may be gone afterwards.
 */
static void handle(struct host *h, struct client *c, const struct mail *m)
{
    struct run r = {.kind = RUN_OPEN, .client = c, .data = mail_bytes(m)};
    if (m->kind == MAIL_FAULT) {
        answer_fault(h, m);
        return;
    }
    if (m->kind == MAIL_OPEN) {
        r.head_len = m->open.head_len;
        r.subject_len = m->open.subject_len;
    } else {
        r.kind = RUN_MESSAGE;
        r.binary = m->binary;
        if (c->life == CLIENT_GONE || atomic_load(h->setup.is_draining))
            return; /* nobody would hear the answer */
    }
    sequence_run(h, &r);
}

void sequence_wake(struct host *h, struct task *task, const struct mail *reply)
{
    struct run r = {.kind = RUN_RESUME,
                    .client = task->client ? world_client(&h->world, task->client) : NULL,
                    .asked = task->asked,
                    .task = task,
                    .reply = reply,
                    .push_reply = task->push_reply};
    if ((r.client && !client_is_here(r.client) && task->kind != RUN_CLOSE) ||
        (r.asked && r.asked->gone))
        r.nothing = "closed";
    else if (task->push_reply && !reply)
        r.nothing = "timeout";
    task_end_wait(h, task, !reply);
    sequence_run(h, &r);
}

/* Adds to what is put off. Returns 0 or -1. */
static int add_pending(struct host *h, struct client_extras *x, const struct mail *m)
{
    size_t before = x->pending.buf.len;
    if (batch_add(&x->pending, m, mail_bytes(m)) < 0)
        return -1;
    quota_take(&h->held, x->pending.buf.len - before);
    return 0;
}

/* Whether the sum has room for more of what is put off. */
static bool may_put_off(struct host *h, const struct client_extras *x,
                        const struct mail *m)
{
    size_t size = sizeof *m + mail_bytes(m).len;
    return x->pending.buf.len + size <= PENDING_PAST_BYTES || quota_has(&h->held, size);
}

static void turn_away(struct host *h, const struct client *c)
{
    limit_reached(h->setup.stats->limits, LIMIT_QUEUED, &c->addr, clock_ms(),
                  h->setup.log);
    (void)world_close(&h->world, c->id, WS_CLOSE_TRY_LATER,
                      bytes_of("too busy, try again later"));
    world_commit(&h->world);
}

/* Keeps the mail of a client whose handler waits. */
static void put_off(struct host *h, struct client *c, const struct mail *m)
{
    struct client_extras *x = client_extras(c);
    if (x && !may_put_off(h, x, m)) {
        turn_away(h, c);
        return;
    }
    if (!x || add_pending(h, x, m) < 0)
        run_send_error(h, c, "internal");
    bool enough = x && (x->pending.buf.len > PENDING_MAX_BYTES ||
                        !quota_has(&h->held, PENDING_MAX_BYTES - x->pending.buf.len));
    if (enough && !c->paused && world_pause(&h->world, c, true) == WORLD_OK)
        world_commit(&h->world);
}

static bool has_pending(const struct client *c)
{
    return c->extras && c->extras->pending_at < c->extras->pending.buf.len;
}

static void run_close(struct host *h, struct client *c, const struct mail *m)
{
    struct run r = {
        .kind = RUN_CLOSE, .client = c, .data = mail_bytes(m), .code = m->code};
    if (c->life == CLIENT_GONE) /* refused */
        remove_client(h, c);
    else
        sequence_run(h, &r);
}

/* The next mail that was put off. The client may be gone afterwards: then it returns
 * false. */
static bool handle_pending(struct host *h, struct client *c)
{
    struct client_extras *x = c->extras;
    const struct mail *m = batch_next(&x->pending, &x->pending_at);
    if (m->kind != MAIL_CLOSED) {
        handle(h, c, m);
        return true;
    }
    struct batch mine = x->pending; /* `m` outlives the client */
    x->pending = (struct batch){0};
    x->pending_at = 0;
    list_remove(&x->ready);
    quota_give(&h->held, mine.buf.len);
    run_close(h, c, m);
    buf_deinit(&mine.buf);
    return false;
}

/* A handler waits, and what was put off with it: the fault among that does not. */
static void answer_fault_ahead(struct host *h, struct client_extras *x)
{
    size_t at = x->fault_at;
    x->fault_at = 0;
    if (at >= x->pending_at && at > 0)
        answer_fault(h, batch_next(&x->pending, &at));
}

/* No handler of it waits: its mail goes on, as far as the turn's share lets it; the rest
 * is for a turn to come. The client may be gone afterwards. */
static void go_on(struct host *h, struct client *c)
{
    if (!c->extras)
        return;
    list_remove(&c->extras->ready);
    while (has_pending(c) && !c->task) {
        if (clock_now() >= h->share_end) {
            list_add_tail(&h->ready, &c->extras->ready);
            return;
        }
        if (!handle_pending(h, c))
            return;
    }
    if (has_pending(c)) {
        answer_fault_ahead(h, c->extras);
        return;
    }
    drop_pending(h, c->extras);
    if (c->paused && client_is_here(c) && world_pause(&h->world, c, false) == WORLD_OK)
        world_commit(&h->world);
}

/* MAIL_FAULT: behind what goes on, and at once beside what waits. */
static void take_fault(struct host *h, struct client *c, const struct mail *m)
{
    size_t at = has_pending(c) ? c->extras->pending.buf.len : 0;
    if (at > 0 && !c->task && add_pending(h, c->extras, m) == 0)
        c->extras->fault_at = at;
    else
        answer_fault(h, m);
}

/* MAIL_CLOSED. The client is gone afterwards, unless what was put off takes longer, or
 * its on_close waits. */
static void end(struct host *h, struct client *c, const struct mail *m)
{
    world_close_client(&h->world, c);
    if (c->task) { /* it hears "closed" and may not wait again */
        sequence_wake(h, c->task, NULL);
        assert(!c->task);
    }
    bool may_take_time = has_pending(c) && world_may_wait(&h->world, c);
    if (may_take_time && add_pending(h, c->extras, m) == 0)
        return;            /* sequence_go_on comes to it */
    while (has_pending(c)) /* too many are closing, or memory is out: now or never */
        handle_pending(h, c);
    run_close(h, c, m);
}

void sequence_take(struct host *h, struct client *c, const struct mail *m)
{
    if (c->life == CLIENT_CLOSING)
        return; /* nothing comes after the end */
    if (m->kind == MAIL_CLOSED)
        end(h, c, m);
    else if (m->kind == MAIL_FAULT)
        take_fault(h, c, m);
    else if (c->task || has_pending(c))
        put_off(h, c, m);
    else
        handle(h, c, m);
}

void sequence_go_on(struct host *h)
{
    while (!list_is_empty(&h->ready) && clock_now() < h->share_end)
        go_on(h, LIST_ENTRY(h->ready.next, struct client_extras, ready)->client);
}
