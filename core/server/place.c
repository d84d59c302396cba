/* place: --threads 0 makes one place with a shard and the host on it; --threads N makes a
 * place for each of N shards and one for the host, while the main place accepts. There is
 * one code path: a place runs the turns of whoever is on it. */
#include "server/place.h"

#include "base/clock.h"

#include <errno.h>

static const double WATCH_SECONDS = 0.2;

/* The place that this thread runs. */
static _Thread_local struct place *here;

void place_wake(struct place *p)
{
    if (p != here)
        place_wake_again(p);
}

void place_wake_again(struct place *p)
{
    ev_async_send(p->loop, &p->wake);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
    (void)loop, (void)w, (void)revents; /* the turn does the work */
}

/* A timer that fires too early only looks again. So it is not moved back: what the host
 * does once it has been idle for a while is put off by every message. */
static void set_due(struct place *p)
{
    double next = host_next(p->host);
    if (next == 0 || (ev_is_active(&p->due) && p->due_at <= next))
        return;
    double in = next - clock_now();
    p->due_at = next;
    ev_timer_stop(p->loop, &p->due);
    ev_timer_set(&p->due, in > 0 ? in : 0, 0);
    ev_timer_start(p->loop, &p->due);
}

/* Lets the actors do what they can do now. Returns true when there is more to do at once.
 */
static bool run_actors(struct place *p)
{
    if (p->shard)
        shard_turn(p->shard);
    if (!p->host)
        return false;
    bool more = host_turn(p->host, clock_now(), clock_wall());
    if (p->shard)
        shard_turn(p->shard); /* the answers leave in the same turn */
    return more || (p->shard && !mailbox_is_empty(&p->common->host_inbox));
}

static void run_turn(struct place *p)
{
    struct common *c = p->common;
    atomic_store(&p->beat, atomic_load(&c->beat));
    if (run_actors(p))
        place_wake_again(p);
    if (p->host) {
        set_due(p);
        if (host_is_drained(p->host) && !atomic_exchange(&c->drained, true))
            place_wake_again(c->main);
    }
    if (atomic_load(&c->ending))
        ev_break(p->loop, EVBREAK_ALL);
}

static void on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
    (void)loop, (void)revents;
    run_turn(w->data);
}

static void on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)w, (void)revents; /* the turn fires what is due */
}

static void on_watch(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    struct place *p = w->data;
    if (host_has_changed(p->host))
        (void)host_load(p->host);
}

int place_init(struct place *p, struct common *common)
{
    p->common = common;
    p->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (!p->loop)
        return -1;
    ev_async_init(&p->wake, on_wake);
    ev_prepare_init(&p->turn, on_turn);
    ev_timer_init(&p->due, on_due, 0, 0);
    ev_timer_init(&p->watch, on_watch, WATCH_SECONDS, WATCH_SECONDS);
    p->turn.data = p->watch.data = p;
    ev_async_start(p->loop, &p->wake);
    ev_prepare_start(p->loop, &p->turn);
    return 0;
}

void place_deinit(struct place *p)
{
    if (p->loop)
        ev_loop_destroy(p->loop);
    p->loop = NULL;
}

void place_watch(struct place *p)
{
    ev_timer_start(p->loop, &p->watch);
}

void place_run(struct place *p)
{
    here = p;
    ev_run(p->loop, 0);
    here = NULL;
}

static void *thread_main(void *arg)
{
    place_run(arg);
    return NULL;
}

int place_start(struct place *p)
{
    errno = pthread_create(&p->thread, NULL, thread_main, p);
    p->has_thread = errno == 0;
    return p->has_thread ? 0 : -1;
}

void place_join(struct place *p)
{
    if (!p->has_thread)
        return;
    place_wake(p);
    pthread_join(p->thread, NULL);
    p->has_thread = false;
}
