/* server: stop, reload and the drain are steps of the main place's loop: whoever asks
 * sets a word and wakes it. A drain: new requests are refused and the host tells every
 * client; when the host has nobody left the loops end. After DRAIN_SECONDS connections
 * that are still there are aborted, after END_SECONDS the loops end whatever is left. */
#include "server/server.h"

#include "base/clock.h"
#include "net/tls.h"
#include "server/assemble.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double DRAIN_SECONDS = 3.5, END_SECONDS = 4.5, SETTLE_SECONDS = 1;

struct server {
    struct actors actors;
    ev_timer drain, end;
    ev_timer tick;                    /* the embedding program's */
    ev_timer settle;                  /* what the log left out is said */
    const struct server_setup *setup; /* while it runs */
    pthread_mutex_t post_lock; /* over `running`: who holds it finds all actors alive */
    bool running;
    atomic_uint stops;
    atomic_bool reload;
    unsigned stops_seen;
};

static void wake_places(struct server *s)
{
    for (size_t i = 0; i < s->actors.place_count; i++)
        place_wake(&s->actors.places[i]);
}

/* --- stop and reload ----------------------------------------------------- */

static unsigned long long connections(struct server *s)
{
    return stats_read(&s->actors.stats.connections);
}

static void on_drain_end(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    struct server *s = w->data;
    if (connections(s))
        log_warn(s->setup->log, "not everyone closed in time connections=%llu",
                 connections(s));
    actors_tell_shards(&s->actors, MAIL_ABORT);
}

static void end(struct server *s)
{
    atomic_store(&s->actors.common.ending, true);
    wake_places(s);
    ev_break(s->actors.main.loop, EVBREAK_ALL);
}

static void on_end(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    struct server *s = w->data;
    log_warn(s->setup->log, "stopped before every handler had ended seconds=%.1f",
             END_SECONDS);
    end(s);
}

static void begin_drain(struct server *s)
{
    struct ev_loop *loop = s->actors.main.loop;
    log_info(s->setup->log, "stopping connections=%llu", connections(s));
    atomic_store(&s->actors.draining, true);
    actors_tell_host(&s->actors, MAIL_DRAIN);
    ev_timer_set(&s->drain, DRAIN_SECONDS, 0);
    ev_timer_set(&s->end, END_SECONDS, 0);
    ev_timer_start(loop, &s->drain);
    ev_timer_start(loop, &s->end);
}

enum { DESCRIPTION_MAX = 512 };

/* Reads the certificates again and says which are others now. */
static void reload_certificates(struct tls *tls, const struct log *log)
{
    char before[CONFIG_CERT_MAX][DESCRIPTION_MAX], after[DESCRIPTION_MAX], error[512];
    size_t count = 0, changed = 0;
    while (tls_describe(tls, count, before[count], DESCRIPTION_MAX) == 0)
        if (++count == CONFIG_CERT_MAX)
            break;
    if (tls_reload(tls, error, sizeof error) < 0) {
        log_error(log, "certificates not reloaded, the old ones stay in use: %s", error);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (tls_describe(tls, i, after, sizeof after) == 0 &&
            strcmp(before[i], after) != 0) {
            changed++;
            log_info(log, "certificate changed %s", after);
        }
    }
    log_info(log, "certificates reloaded count=%zu changed=%zu", count, changed);
}

static void reload(struct server *s)
{
    if (s->actors.tls)
        reload_certificates(s->actors.tls, s->setup->log);
    actors_tell_host(&s->actors, MAIL_RELOAD);
}

/* Something was asked for, or the draining is done. */
static void on_control(struct ev_loop *loop, ev_async *w, int revents)
{
    (void)loop, (void)revents;
    struct server *s = w->data;
    unsigned stops = atomic_load(&s->stops);
    if (stops > 0 && s->stops_seen == 0)
        begin_drain(s);
    if (stops > 1 && s->stops_seen < 2)
        actors_tell_shards(&s->actors, MAIL_ABORT);
    s->stops_seen = stops;
    if (atomic_exchange(&s->reload, false))
        reload(s);
    if (atomic_load(&s->actors.common.drained))
        end(s);
}

void server_stop(struct server *s)
{
    atomic_fetch_add(&s->stops, 1);
    place_wake_again(&s->actors.main);
}

void server_reload(struct server *s)
{
    atomic_store(&s->reload, true);
    place_wake_again(&s->actors.main);
}

/* --- running ------------------------------------------------------------- */

static void set_running(struct server *s, bool running)
{
    pthread_mutex_lock(&s->post_lock);
    s->running = running;
    pthread_mutex_unlock(&s->post_lock);
}

/* Every thread has made a turn since the last tick: the server lives. */
static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    struct server *s = w->data;
    struct common *common = &s->actors.common;
    for (size_t i = 0; i < s->actors.place_count; i++)
        if (atomic_load(&s->actors.places[i].beat) != atomic_load(&common->beat))
            return;
    atomic_fetch_add(&common->beat, 1);
    wake_places(s);
    s->setup->tick(s->setup->tick_ctx);
}

static void on_settle(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    struct server *s = w->data;
    limit_settle(s->actors.stats.limits, clock_ms(), s->setup->log);
    refusal_settle(&s->actors.stats.refusals, clock_ms(), s->setup->log);
    log_settle(s->setup->log);
}

static void announce(struct server *s)
{
    const struct server_setup *setup = s->setup;
    entrance_announce(s->actors.entrance);
    log_info(setup->log, "server ready threads=%lld version=%s",
             (long long)setup->config->threads, setup->version);
    if (setup->ready)
        setup->ready(setup->ctx);
}

static void serve(struct server *s)
{
    struct place *main = &s->actors.main;
    entrance_accept(s->actors.entrance);
    if (s->setup->tick) {
        ev_timer_init(&s->tick, on_tick, s->setup->tick_seconds, s->setup->tick_seconds);
        s->tick.data = s;
        ev_timer_start(main->loop, &s->tick);
    }
    ev_timer_start(main->loop, &s->settle);
    set_running(s, true);
    announce(s);
    place_run(main);
    set_running(s, false);
    ev_timer_stop(main->loop, &s->settle);
    ev_timer_stop(main->loop, &s->tick);
}

/* OpenSSL writes with write(2): who embeds us is not to die of a client that went. The
 * threads inherit it. */
static void block_sigpipe(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

static void unblock_sigpipe(const sigset_t *before)
{
    sigset_t set;
    const struct timespec now = {0};
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    while (!sigismember(before, SIGPIPE) && sigtimedwait(&set, NULL, &now) == SIGPIPE)
        ;
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

int server_run(struct server *s, const struct server_setup *setup, char *error,
               size_t size)
{
    sigset_t signals;
    s->setup = setup;
    block_sigpipe(&signals);
    int result = assemble(&s->actors, setup, error, size);
    if (result == 0)
        serve(s);
    disassemble(&s->actors);
    limit_settle(s->actors.stats.limits, LIMIT_END, setup->log);
    refusal_settle(&s->actors.stats.refusals, LIMIT_END, setup->log);
    log_settle(setup->log);
    if (result == 0)
        log_info(setup->log, "stopped");
    unblock_sigpipe(&signals); /* after the last line: standard error may be a pipe */
    s->setup = NULL;
    return result;
}

/* --- the rest ------------------------------------------------------------ */

/* Before the host is asked whether it runs: a large text is copied without the lock. */
static int pack_post(struct batch *b, struct bytes room, struct bytes json)
{
    struct buf both = {0};
    struct mail m = {.kind = MAIL_POST, .name_len = (uint32_t)room.len};
    bool packed = buf_append(&both, room) == 0 && buf_append(&both, json) == 0 &&
                  batch_add(b, &m, buf_bytes(&both)) == 0;
    buf_deinit(&both);
    return packed ? 0 : -1;
}

enum server_posting server_post(struct server *s, struct bytes room, struct bytes json)
{
    struct batch b = {0};
    struct mailbox *inbox = &s->actors.common.host_inbox;
    enum server_posting result = SERVER_NO_MEMORY;
    bool packed = pack_post(&b, room, json) == 0;
    pthread_mutex_lock(&s->post_lock);
    if (!s->running)
        result = SERVER_STOPPED;
    else if (mailbox_is_full(inbox))
        result = SERVER_FULL;
    else if (packed && mailbox_post(inbox, &b) == 0)
        result = SERVER_POSTED;
    pthread_mutex_unlock(&s->post_lock);
    buf_deinit(&b.buf);
    return result;
}

struct stats *server_stats(struct server *s)
{
    return &s->actors.stats;
}

int server_port(struct server *s, size_t i)
{
    pthread_mutex_lock(&s->post_lock);
    int port = s->running ? entrance_port(s->actors.entrance, i) : 0;
    pthread_mutex_unlock(&s->post_lock);
    return port;
}

struct server *server_new(void)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    struct place *main = &s->actors.main;
    if (place_init(main, &s->actors.common) < 0) {
        free(s);
        return NULL;
    }
    s->actors.common.main = main;
    pthread_mutex_init(&s->post_lock, NULL);
    ev_set_cb(&main->wake, on_control);
    main->wake.data = s;
    ev_timer_init(&s->drain, on_drain_end, 0, 0);
    ev_timer_init(&s->end, on_end, 0, 0);
    ev_timer_init(&s->settle, on_settle, SETTLE_SECONDS, SETTLE_SECONDS);
    s->drain.data = s->end.data = s->settle.data = s;
    return s;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    place_deinit(&s->actors.main);
    pthread_mutex_destroy(&s->post_lock);
    free(s);
}
