/* host: which handler runs next: mail and timers to runs.
 *
 * Timers come before mail, which may be more than a turn's share. But the process may
 * have stood still, or a handler have held it, until the time of a chat.http was over:
 * its reply came in time and is in the inbox, and "timeout" would be a lie. So a wait for
 * a reply that is due while mail waits is set aside until all mail that had come by then
 * is handled: what is left of this batch, and the next one if there is any. More than
 * that does not put it off, or else a busy inbox would for ever. To look only for the
 * reply among the mail was rejected: it would have to be walked for each wait. Plain
 * timers and chat.sleep wait for nobody and go first, as ever. */
#include "script/host.h"

#include "base/clock.h"
#include "script/host_state.h"
#include "script/reload.h"
#include "script/route.h"
#include "script/sequence.h"
#include "script/transaction.h"
#include "wire/close.h"
#include "wire/outframe.h"

#include <math.h>
#include <string.h>

enum {
    MAILS_A_TURN = 64, /* then the shards get to work, and sockets have their turn */
};

/* A turn's share is for what is due, for what was put off, and for mail, each. Handlers
 * are not cut short, so that each gets on by one at least. */
static const double SHARE_SECONDS = 0.01;

static const double RETRY_SECONDS = 0.1;

/* After so long the shards begin to close, whether or not on_stop has ended: then there
 * is still time for everybody's Close. It may go on until the server's end. */
static const double STOP_SECONDS = 2.5;

/* --- mail ---------------------------------------------------------------- */

static void open_client(struct host *h, const struct mail *m)
{
    struct client *c = world_add_client(&h->world, m->id);
    if (!c) {
        (void)world_close(&h->world, m->id, WS_CLOSE_TRY_LATER,
                          bytes_of("out of memory"));
        world_commit(&h->world);
        return;
    }
    c->addr = m->open.addr;
    c->secure = m->open.secure;
    struct bytes protocol =
        bytes_skip(mail_bytes(m), (size_t)m->open.head_len + m->open.subject_len);
    if (protocol.len && client_extras(c))
        c->extras->protocol = strndup((const char *)protocol.at, protocol.len);
    sequence_take(h, c, m);
}

static void open_request(struct host *h, const struct mail *m)
{
    struct run r;
    if (route_begin(h, m, &r))
        sequence_run(h, &r);
}

/* MAIL_GIVEN_UP: nobody waits for the response. */
static void give_up_request(struct host *h, uint64_t id)
{
    struct asked *a = map_get(&h->asked, id);
    if (!a)
        return;
    a->gone = true;
    if (a->task)
        sequence_wake(h, a->task, NULL);
}

/* MAIL_POST: the embedding program says something in a room. */
static void post_to_room(struct host *h, const struct mail *m)
{
    struct bytes name = {mail_bytes(m).at, m->name_len};
    struct room *room = world_room(&h->world, name);
    struct bytes text = bytes_skip(mail_bytes(m), m->name_len);
    struct outframe *f =
        room && text.len <= h->setup.frame_max ? outframe_new(WS_TEXT, text) : NULL;
    if (f)
        (void)world_broadcast(&h->world, room, 0, f);
    outframe_unref(f);
    world_commit(&h->world);
}

static void handle_mail(struct host *h, const struct mail *m)
{
    struct client *c;
    struct timer *t;
    switch (m->kind) {
    case MAIL_OPEN:
        open_client(h, m);
        break;
    case MAIL_MESSAGE:
    case MAIL_FAULT:
    case MAIL_CLOSED:
        c = world_client(&h->world, m->id);
        if (c)
            sequence_take(h, c, m);
        break;
    case MAIL_REQUEST:
        open_request(h, m);
        break;
    case MAIL_GIVEN_UP:
        give_up_request(h, m->id);
        break;
    case MAIL_DRAINED:
        h->drained_shards++;
        break;
    case MAIL_RELOAD:
        (void)host_load(h);
        break;
    case MAIL_POST:
        post_to_room(h, m);
        break;
    case MAIL_DRAIN:
        h->is_stopping = true;
        h->stop_until = h->now + STOP_SECONDS;
        h->stopping = run_event(h, "on_stop");
        break;
    case MAIL_FETCHED: /* unless it comes too late */
        t = timers_find(&h->timers, m->id);
        if (t && t->owner)
            sequence_wake(h, t->owner, m);
        break;
    case MAIL_FETCH:
    case MAIL_FETCH_CANCEL:
    case MAIL_SEND:
    case MAIL_BROADCAST:
    case MAIL_JOIN:
    case MAIL_LEAVE:
    case MAIL_CLOSE:
    case MAIL_ADMIT:
    case MAIL_PAUSE:
    case MAIL_RESUME:
    case MAIL_PROTOCOLS:
    case MAIL_RESPONSE:
    case MAIL_ROUTES:
    case MAIL_ACCEPT:
    case MAIL_ABORT:
        break; /* the business of others: never sent here */
    }
}

/* A client that memory was too short to answer is closed as soon as there is enough for
 * that: nobody is left to wait for what does not come. */
static void close_owed(struct host *h)
{
    uint32_t at = 0;
    h->owes = false;
    for (struct client *c; (c = world_next_client(&h->world, &at));) {
        if (c->owed_close && client_is_here(c)) {
            c->owed_close = world_close(&h->world, c->id, WS_CLOSE_INTERNAL,
                                        bytes_of("out of memory")) != WORLD_OK;
            h->owes |= c->owed_close;
        }
    }
    world_commit(&h->world);
    route_fail_again(h);
}

static void fire(struct host *h, struct timer *t)
{
    struct run r = {.kind = RUN_TIMER, .timer = t->id};
    if (t->owner) {
        sequence_wake(h, t->owner, NULL);
        return;
    }
    double next = t->due + t->period;
    timers_move(&h->timers, t, next > h->now ? next : h->now + t->period);
    t->fired = t->period == 0;
    sequence_run(h, &r);
    t = timers_find(&h->timers, r.timer);
    if (t && t->fired)
        transaction_drop_timer(h, t);
}

static void begin_share(struct host *h)
{
    h->share_end = clock_now() + SHARE_SECONDS;
}

static bool is_mail_handled(const struct host *h)
{
    return h->mail_at >= h->mail.buf.len;
}

/* Sets aside a wait for a reply that is due. False: nothing has come that it could be
 * among. */
static bool set_aside(struct host *h, struct timer *t)
{
    struct task *task = t->owner;
    bool more = !mailbox_is_empty(h->setup.inbox);
    if (!task || !task->push_reply || (is_mail_handled(h) && !more))
        return false;
    task->judged_at = h->batches + more;
    list_add_tail(&h->overdue, &task->overdue);
    timers_move(&h->timers, t, INFINITY);
    return true;
}

/* What was set aside and has had no reply among the mail of its time hears "timeout". */
static void judge_overdue(struct host *h)
{
    begin_share(h);
    while (!list_is_empty(&h->overdue)) {
        struct task *task = LIST_ENTRY(h->overdue.next, struct task, overdue);
        if (h->batches < task->judged_at ||
            (h->batches == task->judged_at && !is_mail_handled(h)))
            return; /* those behind it were set aside later */
        sequence_wake(h, task, NULL);
        if (clock_now() >= h->share_end)
            return;
    }
}

static bool fire_due(struct host *h)
{
    bool any = false;
    uint64_t last = h->timers.last_id; /* what handlers add now is for the next turn */
    for (struct timer *t;
         (t = timers_first(&h->timers)) && t->due <= h->now && t->id <= last;) {
        if (set_aside(h, t))
            continue;
        if (!any) /* most turns have none, and the clock costs a little */
            begin_share(h);
        fire(h, t);
        any = true;
        if (clock_now() >= h->share_end)
            break;
    }
    return any;
}

static bool take_mail(struct host *h)
{
    int n = 0;
    begin_share(h);
    while (n < MAILS_A_TURN && !world_is_full(&h->world)) {
        struct mail *m = batch_next(&h->mail, &h->mail_at);
        if (m) {
            handle_mail(h, m);
            n = clock_now() < h->share_end ? n + 1 : MAILS_A_TURN;
        } else if (mailbox_is_empty(h->setup.inbox)) {
            break;
        } else {
            mailbox_take(h->setup.inbox, &h->mail);
            h->mail_at = 0;
            h->batches++;
        }
    }
    return n > 0;
}

/* on_stop has had its time: the shards close everybody. */
static void stop(struct host *h)
{
    if (!h->is_stopping || (h->stopping && h->now < h->stop_until))
        return;
    h->is_stopping = world_drain(&h->world) != WORLD_OK;
    h->stop_until = h->now + RETRY_SECONDS; /* without memory: again */
    world_commit(&h->world);
}

bool host_turn(struct host *h, double now, double wall)
{
    h->now = now;
    h->wall = wall;
    if (h->owes)
        close_owed(h);
    bool busy = fire_due(h) || !list_is_empty(&h->ready);
    if (!list_is_empty(&h->ready) && !world_is_full(&h->world)) {
        begin_share(h);
        sequence_go_on(h);
    }
    busy |= take_mail(h);
    if (!list_is_empty(&h->overdue))
        judge_overdue(h);
    stop(h);
    world_post(&h->world);
    bool more = h->mail_at < h->mail.buf.len || !mailbox_is_empty(h->setup.inbox) ||
                !list_is_empty(&h->ready) || !list_is_empty(&h->overdue);
    if (busy || more) /* also while a shard is behind: to collect is not due then */
        garbage_note(&h->garbage, &h->vm, h->world.client_count, now);
    else
        garbage_collect(&h->garbage, &h->vm, h->world.client_count, h->setup.inbox, now);
    return more && !world_is_full(&h->world);
}

/* The earlier of two times; 0 is none. */
static double earlier(double a, double b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

double host_next(const struct host *h)
{
    const struct timer *t = timers_first(&h->timers);
    bool is_due = t && t->due < (double)INFINITY; /* else it is set aside */
    double due = earlier(is_due ? t->due : 0, garbage_next(&h->garbage));
    if (h->is_stopping)
        due = earlier(due, h->stop_until);
    if (h->owes || world_is_unposted(&h->world)) /* for lack of memory: again */
        due = earlier(due, h->now + RETRY_SECONDS);
    return due;
}

bool host_is_drained(const struct host *h)
{
    return h->drained_shards == h->setup.shard_count && h->world.client_count == 0 &&
           !h->stopping;
}

bool host_has_changed(struct host *h)
{
    return loader_has_changed(&h->loader);
}
