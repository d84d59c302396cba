/* entrance: one thread accepts for all shards and deals connections out in turn. That
 * every shard listens by itself (SO_REUSEPORT) was not chosen: the kernel's hash gives
 * one shard twice the clients of another, sockets that systemd hands over are one, and
 * the gate would have to be asked from all threads at the same moment. A turn accepts at
 * most ACCEPTS_A_TURN of one listener, so that a flood leaves time for the other
 * listeners and for stop and reload, which the same loop hears. */
#include "server/entrance.h"

#include "base/clock.h"
#include "config.h"
#include "net/gate.h"
#include "net/listen.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 64 };

static const double NO_FDS_SECONDS = 1;

struct door {
    struct listener listener;
    ev_io io;
    struct entrance *entrance;
};

struct entrance {
    struct entrance_setup setup;
    struct batch *accepted; /* by shard */
    uint32_t next_shard;
    struct door doors[CONFIG_LISTEN_MAX];
    size_t door_count;
    ev_timer pause; /* no accepting while descriptors are out */
};

static void watch_doors(struct entrance *e, bool on)
{
    for (size_t i = 0; i < e->door_count; i++) {
        if (on)
            ev_io_start(e->setup.loop, &e->doors[i].io);
        else
            ev_io_stop(e->setup.loop, &e->doors[i].io);
    }
}

static void on_pause_end(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    watch_doors(w->data, true);
}

static void pause_accepting(struct entrance *e)
{
    log_warn(e->setup.log,
             "accepting paused: out of file descriptors or memory; raise the limit "
             "(ulimit -n) "
             "seconds=%.0f",
             NO_FDS_SECONDS);
    watch_doors(e, false);
    ev_timer_stop(e->setup.loop, &e->pause);
    ev_timer_set(&e->pause, NO_FDS_SECONDS, 0);
    ev_timer_start(e->setup.loop, &e->pause);
}

/* Asks the gate. */
static bool let_in(struct entrance *e, const struct addr *from)
{
    uint64_t now_ms = (uint64_t)(clock_now() * 1000); /* the shards' clock */
    struct stats *stats = e->setup.stats;
    enum gate_answer answer = gate_enter(e->setup.gate, from, now_ms);
    if (answer == GATE_OPEN)
        return true;
    stats_add(&stats->turned_away, 1);
    limit_reached(stats->limits, gate_limit(answer), from, now_ms, e->setup.log);
    return false;
}

/* Each shard in turn. */
static uint32_t pick_shard(struct entrance *e)
{
    uint32_t shard = e->next_shard;
    e->next_shard = (shard + 1) % e->setup.shard_count;
    return shard;
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop, (void)revents;
    struct door *door = w->data;
    struct entrance *e = door->entrance;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct mail m = {.kind = MAIL_ACCEPT};
        m.accept.tls = door->listener.tls;
        m.accept.fd = listener_accept(&door->listener, &m.accept.addr);
        if (m.accept.fd == LISTEN_NO_FDS)
            pause_accepting(e);
        if (m.accept.fd < 0)
            break;
        stats_add(&e->setup.stats->accepted, 1);
        if (!let_in(e, &m.accept.addr)) {
            close(m.accept.fd);
            continue;
        }
        if (batch_add(&e->accepted[pick_shard(e)], &m, (struct bytes){0}) < 0) {
            gate_leave(e->setup.gate, &m.accept.addr);
            close(m.accept.fd);
        }
    }
    for (uint32_t i = 0; i < e->setup.shard_count; i++)
        (void)mailbox_post(&e->setup.inboxes[i], &e->accepted[i]);
}

struct entrance *entrance_open(const struct config *c, char *error, size_t size)
{
    struct entrance *e = calloc(1, sizeof *e);
    if (!e) {
        snprintf(error, size, "out of memory");
        return NULL;
    }
    ev_timer_init(&e->pause, on_pause_end, 0, 0);
    e->pause.data = e;
    for (size_t i = 0; i < c->listen.count; i++) {
        struct door *door = &e->doors[i];
        if (listener_open(&door->listener, c->listen.at[i], error, size) < 0) {
            entrance_close(e);
            return NULL;
        }
        door->entrance = e;
        ev_io_init(&door->io, on_accept, door->listener.fd, EV_READ);
        door->io.data = door;
        e->door_count++;
    }
    return e;
}

int entrance_lead(struct entrance *e, const struct entrance_setup *setup)
{
    e->accepted = calloc(setup->shard_count, sizeof *e->accepted);
    if (!e->accepted)
        return -1;
    e->setup = *setup;
    return 0;
}

void entrance_accept(struct entrance *e)
{
    watch_doors(e, true);
}

void entrance_close(struct entrance *e)
{
    if (!e)
        return;
    if (e->setup.loop) {
        watch_doors(e, false);
        ev_timer_stop(e->setup.loop, &e->pause);
    }
    for (size_t i = 0; i < e->door_count; i++)
        listener_close(&e->doors[i].listener);
    for (uint32_t i = 0; e->accepted && i < e->setup.shard_count; i++) {
        size_t at = 0;
        for (struct mail *m; (m = batch_next(&e->accepted[i], &at));)
            close(m->accept.fd); /* memory was too short to hand it on */
        buf_deinit(&e->accepted[i].buf);
    }
    free(e->accepted);
    free(e);
}

void entrance_announce(const struct entrance *e)
{
    for (size_t i = 0; i < e->door_count; i++)
        log_info(e->setup.log, "listening addr=%s", e->doors[i].listener.where);
}

int entrance_port(const struct entrance *e, size_t i)
{
    return i < e->door_count ? e->doors[i].listener.port : 0;
}
