/* sequence: one client's order.
 *
 * A handler may wait (chat.sleep, chat.http), and its client talks on meanwhile. What it
 * says then is put off, in the order in which it came, and has its turn when the handler
 * has ended: script authors never see two handlers of one client interleave. Other
 * clients go on. Example: "buy" waits for a service, "say" and "buy" come: both are put
 * off; the reply wakes the first buy, which ends; say runs; the second buy runs and
 * waits. A client that piles up more than PENDING_MAX_BYTES is not read any more until
 * then.
 *
 * The end of a client overtakes this queue in one way: the handler that waits is woken
 * with "closed" and may not wait again, nor may those of the messages put off, so that
 * all of them have ended before on_close begins, in the same call of sequence_take. Then
 * on_close alone may wait. By then the client's slot is its shard's again (world.h has
 * the states), so nothing here finds it by slot. To keep the MAIL_CLOSED among the mail
 * put off was tried: it may need memory at the one moment that can't be repeated, and the
 * next client of the slot was handed this one's object. */
#include "script/sequence.h"

#include "script/objects.h"
#include "script/route.h"
#include "script/task.h"

#include <assert.h>

enum {
    PENDING_MAX_BYTES =
        256 * 1024, /* of one client whose handler waits; then it is paused */
};

static void remove_client(struct host *h, struct client *c)
{
    client_forget(h->vm.L, c);
    world_remove_client(&h->world, c);
    world_commit(&h->world);
}

static void run_pending(struct host *h, struct client *c);

void sequence_run(struct host *h, struct run *r)
{
    struct client *c = r->client;
    bool ended = run_handler(h, r);
    if (r->asked && ended)
        route_end(h, r->asked);
    else if (r->asked)
        r->asked->task = r->task;
    if (!c)
        return;
    bool waited = c->task != NULL;
    c->task = ended ? NULL : r->task;
    if (ended && r->handler == RUN_CLOSE)
        remove_client(h, c);
    else if (ended && waited)
        run_pending(h, c);
}

/* Handles one mail of a client whose handler does not wait; `c` may be gone afterwards.
 */
static void handle(struct host *h, struct client *c, const struct mail *m)
{
    struct run r = {.kind = RUN_OPEN, .client = c, .data = mail_bytes(m)};
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

/* Keeps the mail of a client whose handler waits. */
static void put_off(struct host *h, struct client *c, const struct mail *m)
{
    struct client_extras *x = client_extras(c);
    if (!x || batch_add(&x->pending, m, mail_bytes(m)) < 0)
        run_send_error(h, c, "internal");
    if (x && x->pending.buf.len > PENDING_MAX_BYTES && !c->paused &&
        world_pause(&h->world, c, true) == WORLD_OK)
        world_commit(&h->world);
}

static void handle_or_put_off(struct host *h, struct client *c, const struct mail *m)
{
    if (c->task)
        put_off(h, c, m);
    else
        handle(h, c, m);
}

/* The handler that waited has ended: its client's mail goes on. */
static void run_pending(struct host *h, struct client *c)
{
    struct batch mine = {0};
    size_t at = 0;
    if (c->extras) {
        mine = c->extras->pending;
        c->extras->pending = (struct batch){0};
    }
    if (c->paused && world_pause(&h->world, c, false) == WORLD_OK)
        world_commit(&h->world);
    for (struct mail *m; (m = batch_next(&mine, &at));)
        handle_or_put_off(h, c, m);
    buf_deinit(&mine.buf);
}

/* MAIL_CLOSED. The client is gone afterwards, unless its on_close waits. */
static void end(struct host *h, struct client *c, const struct mail *m)
{
    struct run r = {
        .kind = RUN_CLOSE, .client = c, .data = mail_bytes(m), .code = m->code};
    world_close_client(&h->world, c);
    if (c->task) { /* it hears "closed" and may not wait again, nor what is pending */
        sequence_wake(h, c->task, NULL);
        assert(!c->task);
    }
    if (c->life == CLIENT_GONE) /* refused */
        remove_client(h, c);
    else
        sequence_run(h, &r);
}

void sequence_take(struct host *h, struct client *c, const struct mail *m)
{
    if (c->life == CLIENT_CLOSING)
        return; /* nothing comes after the end */
    if (m->kind == MAIL_CLOSED)
        end(h, c, m);
    else
        handle_or_put_off(h, c, m);
}
