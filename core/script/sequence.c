/* sequence: one client's order. */
#include "script/sequence.h"

#include "script/objects.h"
#include "script/route.h"
#include "script/task.h"

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

static void handle_close(struct host *h, struct client *c, struct bytes reason)
{
    struct run r = {
        .kind = RUN_CLOSE, .client = c, .data = reason, .code = c->close_code};
    if (c->refused)
        remove_client(h, c);
    else
        sequence_run(h, &r);
}

/* Handles one mail of a client whose handler does not wait; `c` may be gone afterwards.
 */
static void handle(struct host *h, struct client *c, const struct mail *m)
{
    struct run r = {.kind = RUN_OPEN, .client = c, .data = mail_bytes(m)};
    if (m->kind == MAIL_CLOSED) {
        handle_close(h, c, mail_bytes(m));
        return;
    }
    if (m->kind == MAIL_OPEN) {
        r.head_len = m->open.head_len;
        r.subject_len = m->open.subject_len;
    } else {
        r.kind = RUN_MESSAGE;
        r.binary = m->binary;
        if (c->refused || atomic_load(h->setup.is_draining))
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
    if ((r.client && r.client->gone && task->kind != RUN_CLOSE) ||
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
    if ((!x || batch_add(&x->pending, m, mail_bytes(m)) < 0) && m->kind == MAIL_MESSAGE)
        run_send_error(h, c, "internal");
    if (x && x->pending.buf.len > PENDING_MAX_BYTES && !c->paused &&
        world_pause(&h->world, c, true) == WORLD_OK)
        world_commit(&h->world);
    if (c->gone && c->task->kind != RUN_CLOSE)
        sequence_wake(h, c->task, NULL);
}

void sequence_take(struct host *h, struct client *c, const struct mail *m)
{
    if (m->kind == MAIL_CLOSED) {
        c->gone = true;
        c->close_code = m->code;
    }
    if (c->task)
        put_off(h, c, m);
    else
        handle(h, c, m);
}

/* The handler that waited has ended: its client's mail goes on. */
static void run_pending(struct host *h, struct client *c)
{
    struct batch mine = {0};
    uint64_t id = c->id;
    size_t at = 0;
    if (c->extras) {
        mine = c->extras->pending;
        c->extras->pending = (struct batch){0};
    }
    if (c->paused && world_pause(&h->world, c, false) == WORLD_OK)
        world_commit(&h->world);
    for (struct mail *m; (m = batch_next(&mine, &at)) && world_client(&h->world, id);)
        sequence_take(h, c, m);
    buf_deinit(&mine.buf);
    /* Memory was too short to keep its end: it ends all the same. */
    c = world_client(&h->world, id);
    if (c && c->gone && !c->task)
        handle_close(h, c, (struct bytes){0});
}
