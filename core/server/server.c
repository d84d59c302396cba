/* server: --threads 0 makes one place with a shard and the host on it; --threads N makes
 * a place for each of N shards and one for the host, while the caller's own thread
 * accepts. There is one code path: a place runs the turns of whoever is on it.
 * Longer than other files: building and ending in the right order is one story. */
#include "server/server.h"

#include "base/clock.h"
#include "net/fetch.h"
#include "net/gate.h"
#include "net/listen.h"
#include "net/page.h"
#include "net/tls.h"
#include "room/shard.h"
#include "lua/watchdog.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INBOX_BYTES (4UL * 1024 * 1024)
#define FRAME_MAX_BYTES                                                                  \
    (16 * 1024 * 1024) /* a script's message, if queues are not larger */

enum {
    ACCEPTS_A_TURN = 64, /* of one listener */
};

static const double DRAIN_SECONDS = 3.5, END_SECONDS = 4.5, WATCH_SECONDS = 0.2,
                    NO_FDS_SECONDS = 1;

/* A loop, the thread that runs it, and the actors on it. */
struct place {
    struct server *server;
    struct ev_loop *loop;
    ev_async wake;
    ev_prepare turn;
    ev_timer due;   /* the host's next timer */
    ev_timer watch; /* looks at the rules' files */
    struct host *host;
    struct shard *shard;
    pthread_t thread;
    bool has_thread;
    atomic_uint beat; /* the server's, as of the last turn */
};

struct accepting {
    struct listener listener;
    ev_io io;
    struct server *server;
};

struct server {
    struct place main; /* accepts, and hears of stop and reload */
    struct place *host_place;
    struct place *places; /* beside main: with threads, the host's and the shards' */
    size_t place_count;
    struct host *host;
    struct watchdog *watchdog; /* over the host */
    struct fetch *fetch;       /* NULL where no service may be asked */
    struct host_option env[CONFIG_ENV_MAX];
    size_t env_count;
    struct shard **shards;
    struct mailbox host_inbox;
    struct mailbox *inboxes; /* by shard */
    struct batch *accepted;  /* by shard */
    uint32_t shard_count, next_shard;
    bool has_inboxes;
    struct accepting accepting[CONFIG_LISTEN_MAX];
    size_t listener_count;
    ev_timer pause; /* no accepting while descriptors are out */
    ev_timer drain, end;
    ev_timer tick;                    /* the embedding program's */
    atomic_uint beat;                 /* ticks so far; every place is asked to follow */
    const struct server_setup *setup; /* while it runs */
    struct page *page;
    struct tls *tls;
    struct gate *gate;
    struct stats stats;
    const struct log *log;
    pthread_mutex_t post_lock; /* over `running` and the host's life, for server_post */
    bool running;
    atomic_uint stops;
    atomic_bool reload, draining, drained, ending;
    unsigned stops_seen;
};

/* The place that this thread runs. Its own turn comes before it blocks: it needs no
 * waking. */
static _Thread_local struct place *here;

/* --- places -------------------------------------------------------------- */

static void wake_place(void *ctx)
{
    struct place *p = ctx;
    if (p != here)
        ev_async_send(p->loop, &p->wake);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
    (void)loop, (void)w, (void)revents; /* the turn does the work */
}

/* The host has emptied its full inbox: who fills it may go on. */
static void host_drained(void *ctx)
{
    struct server *s = ((struct place *)ctx)->server;
    for (size_t i = 0; i < s->place_count; i++)
        wake_place(&s->places[i]);
    fetch_wake(s->fetch);
}

/* A shard has emptied its full inbox: the host may go on. It is woken even from its own
 * thread: its turn has come before the shard's. */
static void shard_drained(void *ctx)
{
    struct place *p = ((struct place *)ctx)->server->host_place;
    ev_async_send(p->loop, &p->wake);
}

static void set_due(struct place *p)
{
    double next = host_next(p->host);
    ev_timer_stop(p->loop, &p->due);
    if (next == 0)
        return;
    double in = next - ev_now(p->loop);
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
    bool more = host_turn(p->host, ev_now(p->loop));
    if (!p->shard)
        return more;
    shard_turn(p->shard); /* the answers leave in the same turn */
    return more || !mailbox_is_empty(&p->server->host_inbox);
}

static void run_turn(struct place *p)
{
    atomic_store(&p->beat, atomic_load(&p->server->beat));
    if (run_actors(p))
        ev_async_send(p->loop, &p->wake);
    if (p->host) {
        set_due(p);
        if (host_is_drained(p->host) && !atomic_exchange(&p->server->drained, true))
            ev_async_send(p->server->main.loop, &p->server->main.wake);
    }
    if (atomic_load(&p->server->ending))
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

/* Gives `p` a loop of its own. Returns 0 or -1. */
static int place_init(struct place *p, struct server *s)
{
    p->server = s;
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

static void place_deinit(struct place *p)
{
    if (p->loop)
        ev_loop_destroy(p->loop);
    p->loop = NULL;
}

static void *place_main(void *arg)
{
    struct place *p = arg;
    here = p;
    ev_run(p->loop, 0);
    here = NULL;
    return NULL;
}

/* --- accepting ----------------------------------------------------------- */

static void watch_listeners(struct server *s, bool on)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        if (on)
            ev_io_start(s->main.loop, &s->accepting[i].io);
        else
            ev_io_stop(s->main.loop, &s->accepting[i].io);
    }
}

static void on_pause_end(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    watch_listeners(w->data, true);
}

static void pause_accepting(struct server *s)
{
    log_warn(s->log,
             "accepting paused: out of file descriptors or memory; raise the limit "
             "(ulimit -n) "
             "seconds=%.0f",
             NO_FDS_SECONDS);
    watch_listeners(s, false);
    ev_timer_stop(s->main.loop, &s->pause);
    ev_timer_set(&s->pause, NO_FDS_SECONDS, 0);
    ev_timer_start(s->main.loop, &s->pause);
}

/* Asks the gate. */
static bool let_in(struct server *s, const struct addr *from)
{
    uint64_t now_ms = clock_ms(); /* as the shards do, which use the gate too */
    enum gate_answer answer = gate_enter(s->gate, from, now_ms);
    if (answer == GATE_OPEN)
        return true;
    stats_add(&s->stats.turned_away, 1);
    limit_reached(s->stats.limits, gate_limit(answer), from, now_ms, s->log);
    return false;
}

/* Deals new connections out to the shards in turn. */
static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
    (void)loop, (void)revents;
    struct accepting *a = w->data;
    struct server *s = a->server;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct mail m = {.kind = MAIL_ACCEPT};
        m.accept.tls = a->listener.tls;
        m.accept.fd = listener_accept(&a->listener, &m.accept.addr);
        if (m.accept.fd == LISTEN_NO_FDS)
            pause_accepting(s);
        if (m.accept.fd < 0)
            break;
        stats_add(&s->stats.accepted, 1);
        if (!let_in(s, &m.accept.addr)) {
            close(m.accept.fd);
            continue;
        }
        if (batch_add(&s->accepted[s->next_shard], &m, (struct bytes){0}) < 0) {
            gate_leave(s->gate, &m.accept.addr);
            close(m.accept.fd);
        }
        s->next_shard = (s->next_shard + 1) % s->shard_count;
    }
    for (uint32_t i = 0; i < s->shard_count; i++)
        (void)mailbox_post(&s->inboxes[i], &s->accepted[i]);
}

static int open_listeners(struct server *s, const struct config *c, char *error,
                          size_t size)
{
    for (size_t i = 0; i < c->listen.count; i++) {
        struct accepting *a = &s->accepting[i];
        if (listener_open(&a->listener, c->listen.at[i], error, size) < 0)
            return -1;
        a->server = s;
        ev_io_init(&a->io, on_accept, a->listener.fd, EV_READ);
        a->io.data = a;
        s->listener_count++;
    }
    return 0;
}

/* --- stop and reload ----------------------------------------------------- */

static void post_all(struct server *s, enum mail_kind kind)
{
    for (uint32_t i = 0; i < s->shard_count; i++) {
        struct batch b = {0};
        struct mail m = {.kind = kind};
        if (batch_add(&b, &m, (struct bytes){0}) == 0)
            (void)mailbox_post(&s->inboxes[i], &b);
        buf_deinit(&b.buf);
    }
}

static void on_drain_end(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    struct server *s = w->data;
    log_warn(s->log, "not everyone closed in time connections=%llu",
             (unsigned long long)stats_read(&s->stats.connections));
    post_all(s, MAIL_ABORT);
}

static void end(struct server *s)
{
    atomic_store(&s->ending, true);
    for (size_t i = 0; i < s->place_count; i++)
        wake_place(&s->places[i]);
    ev_break(s->main.loop, EVBREAK_ALL);
}

static void on_end(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    end(w->data);
}

static void post_host(struct server *s, enum mail_kind kind)
{
    struct batch b = {0};
    struct mail m = {.kind = kind};
    if (batch_add(&b, &m, (struct bytes){0}) == 0)
        (void)mailbox_post(&s->host_inbox, &b);
    buf_deinit(&b.buf);
}

static void begin_drain(struct server *s)
{
    log_info(s->log, "stopping connections=%llu",
             (unsigned long long)stats_read(&s->stats.connections));
    atomic_store(&s->draining, true);
    post_host(s, MAIL_DRAIN);
    ev_timer_set(&s->drain, DRAIN_SECONDS, 0);
    ev_timer_set(&s->end, END_SECONDS, 0);
    ev_timer_start(s->main.loop, &s->drain);
    ev_timer_start(s->main.loop, &s->end);
}

static void reload(struct server *s)
{
    char error[512];
    if (s->tls && tls_reload(s->tls, error, sizeof error) < 0)
        log_error(s->log, "certificates not reloaded, the old ones stay in use: %s",
                  error);
    post_host(s, MAIL_RELOAD);
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
        post_all(s, MAIL_ABORT);
    s->stops_seen = stops;
    if (atomic_exchange(&s->reload, false))
        reload(s);
    if (atomic_load(&s->drained))
        end(s);
}

void server_stop(struct server *s)
{
    atomic_fetch_add(&s->stops, 1);
    ev_async_send(s->main.loop, &s->main.wake);
}

void server_reload(struct server *s)
{
    atomic_store(&s->reload, true);
    ev_async_send(s->main.loop, &s->main.wake);
}

/* --- building ------------------------------------------------------------ */

/* The place of shard `i`. */
static struct place *shard_place(struct server *s, uint32_t i)
{
    return s->place_count ? &s->places[i + 1] : &s->main;
}

static int build_places(struct server *s, const struct config *c)
{
    int64_t threads = c->threads;
    s->shard_count = threads == 0 ? 1 : (uint32_t)threads;
    s->place_count = threads == 0 ? 0 : (size_t)threads + 1;
    s->places = calloc(s->place_count + 1, sizeof *s->places);
    s->shards = calloc(s->shard_count, sizeof(struct shard *));
    s->inboxes = calloc(s->shard_count, sizeof *s->inboxes);
    s->accepted = calloc(s->shard_count, sizeof *s->accepted);
    if (!s->places || !s->shards || !s->inboxes || !s->accepted)
        return -1;
    for (size_t i = 0; i < s->place_count; i++)
        if (place_init(&s->places[i], s) < 0)
            return -1;
    struct gate_limits gate = {(uint32_t)c->max_connections, (uint32_t)c->max_per_address,
                               (uint32_t)c->max_connect_rate, c->trusted,
                               c->trusted_count};
    s->gate = gate_new(&gate);
    if (!s->gate)
        return -1;
    s->host_place = threads == 0 ? &s->main : &s->places[0];
    mailbox_init(&s->host_inbox, INBOX_BYTES, wake_place, host_drained, s->host_place);
    for (uint32_t i = 0; i < s->shard_count; i++)
        mailbox_init(&s->inboxes[i], INBOX_BYTES, wake_place, shard_drained,
                     shard_place(s, i));
    s->has_inboxes = true;
    return 0;
}

static int build_shard(struct server *s, const struct config *c, uint32_t index)
{
    struct place *p = shard_place(s, index);
    struct shard_setup setup = {
        .index = index,
        .loop = p->loop,
        .inbox = &s->inboxes[index],
        .host = &s->host_inbox,
        .log = s->log,
        .stats = &s->stats,
        .page = s->page,
        .tls = s->tls,
        .http = {(size_t)c->max_head, (size_t)c->max_fields},
        .messages = {(size_t)c->max_message, (uint32_t)c->max_fragments},
        .deflate = !c->no_deflate,
        .deflate_min = (size_t)c->deflate_min,
        .queue_max = (size_t)c->max_queue,
        .body_max = (size_t)c->max_body,
        .queued_max = (size_t)c->max_queued / s->shard_count,
        .messages_a_second = (float)c->max_rate,
        .bytes_a_second = (float)c->max_byte_rate,
        .gate = s->gate,
        .origins = c->origin.at,
        .origin_count = c->origin.count,
        .trusted = c->trusted,
        .trusted_count = c->trusted_count,
        .drop_when_slow = c->drop_when_slow != 0,
        .wait = {[CONN_WAIT_HEAD] = (double)c->head_time,
                 [CONN_WAIT_ANSWERED] = 60,
                 [CONN_WAIT_RESPONSE] = (double)c->answer_time,
                 [CONN_WAIT_PING] = (double)(c->ping_interval - c->ping_timeout),
                 [CONN_WAIT_PONG] = (double)c->ping_timeout,
                 [CONN_WAIT_CLOSE] = (double)c->close_time},
    };
    s->shards[index] = p->shard = shard_new(&setup);
    return p->shard ? 0 : -1;
}

/* What the script may read of the environment, as it is now. */
static int read_env(struct server *s, const struct config *c)
{
    for (size_t i = 0; i < c->env.count; i++) {
        const char *value = getenv(c->env.at[i]);
        s->env[i] = (struct host_option){c->env.at[i], value ? strdup(value) : NULL};
        if (value && !s->env[i].value)
            return -1;
        s->env_count++;
    }
    return 0;
}

void server_host_setup(const struct server_setup *setup, struct host_setup *out)
{
    const struct config *c = setup->config;
    *out = (struct host_setup){
        .script = c->script,
        .trusted = c->trusted_script,
        .options = (const struct host_option *)(const void *)c->set,
        .option_count = c->set_count,
        .natives = setup->natives,
        .native_count = setup->native_count,
        .log = setup->log,
        .http_allow = (const char *const *)c->http_allow.at,
        .http_allow_count = c->http_allow.count,
        .http_max = (size_t)c->http_max,
        .frame_max =
            c->max_queue > FRAME_MAX_BYTES ? (size_t)c->max_queue : FRAME_MAX_BYTES,
        .memory_max = (size_t)c->script_memory,
        .json_depth = (int)c->max_json_depth,
        .handler_time = (double)c->handler_time / 1000,
        .rooms_max = (uint32_t)c->max_rooms,
        .rooms_per_client = (uint32_t)c->max_client_rooms,
        .version = setup->version,
    };
}

static int build_host(struct server *s, const struct server_setup *setup)
{
    struct host_setup host;
    server_host_setup(setup, &host);
    host.watchdog = s->watchdog = watchdog_new(s->log); /* without one it serves, too */
    host.stats = &s->stats;
    host.inbox = &s->host_inbox;
    host.shards = s->inboxes;
    host.shard_count = s->shard_count;
    host.is_draining = &s->draining;
    host.services = s->fetch ? fetch_inbox(s->fetch) : NULL;
    host.env = s->env;
    host.env_count = s->env_count;
    host.now = ev_time();
    s->host = s->host_place->host = host_new(&host);
    return s->host ? 0 : -1;
}

static int open_page(struct server *s, const struct config *c, char *error, size_t size)
{
    char beside[1024];
    const char *slash = strrchr(c->script, '/');
    snprintf(beside, sizeof beside, "%.*s/public", slash ? (int)(slash - c->script) : 1,
             slash ? c->script : ".");
    s->page = page_open(c->page ? c->page : beside);
    if (s->page || !c->page)
        return 0; /* without files of its own a script is served without a page */
    snprintf(error, size, "cannot serve --page %s: %s", c->page, strerror(errno));
    return -1;
}

static int open_tls(struct server *s, const struct config *c, char *error, size_t size)
{
    struct tls_files files[CONFIG_CERT_MAX];
    for (size_t i = 0; i < c->cert.count; i++)
        files[i] = (struct tls_files){c->cert.at[i], c->key.at[i]};
    if (c->cert.count)
        s->tls = tls_new(files, c->cert.count, c->client_ca, error, size);
    return c->cert.count && !s->tls ? -1 : 0;
}

static int open_fetch(struct server *s, const struct config *c, char *error, size_t size)
{
    struct fetch_setup setup = {.host = &s->host_inbox,
                                .ca = c->http_ca,
                                .body_max = (size_t)c->http_max,
                                .log = s->log,
                                .stats = &s->stats};
    if (c->http_allow.count)
        s->fetch = fetch_new(&setup, error, size);
    return c->http_allow.count && !s->fetch ? -1 : 0;
}

static int build(struct server *s, const struct server_setup *setup, char *error,
                 size_t size)
{
    const struct config *c = setup->config;
    s->log = setup->log;
    if (open_page(s, c, error, size) < 0 || open_tls(s, c, error, size) < 0 ||
        open_listeners(s, c, error, size) < 0)
        return -1;
    if (build_places(s, c) < 0)
        goto no_memory;
    if (open_fetch(s, c, error, size) < 0)
        return -1;
    if (read_env(s, c) < 0 || build_host(s, setup) < 0)
        goto no_memory;
    for (uint32_t i = 0; i < s->shard_count; i++)
        if (build_shard(s, c, i) < 0)
            goto no_memory;
    if (host_load(s->host) < 0) {
        snprintf(error, size, "%s could not be loaded; the line above says why",
                 c->script);
        return -1;
    }
    return 0;
no_memory:
    snprintf(error, size, "out of memory or of file descriptors");
    return -1;
}

static int start_threads(struct server *s, bool watch, char *error, size_t size)
{
    if (watch)
        ev_timer_start(s->host_place->loop, &s->host_place->watch);
    for (size_t i = 0; i < s->place_count; i++) {
        if (pthread_create(&s->places[i].thread, NULL, place_main, &s->places[i]) != 0) {
            snprintf(error, size, "cannot start a thread: %s", strerror(errno));
            return -1;
        }
        s->places[i].has_thread = true;
    }
    return 0;
}

static void tear_down(struct server *s)
{
    atomic_store(&s->ending, true);
    for (size_t i = 0; i < s->place_count; i++) {
        if (!s->places[i].has_thread)
            continue;
        wake_place(&s->places[i]);
        pthread_join(s->places[i].thread, NULL);
    }
    fetch_free(s->fetch);
    s->fetch = NULL;
    watch_listeners(s, false);
    for (size_t i = 0; i < s->listener_count; i++)
        listener_close(&s->accepting[i].listener);
    s->listener_count = 0;
    for (uint32_t i = 0; s->has_inboxes && i < s->shard_count; i++) {
        shard_free(s->shards[i]);
        buf_deinit(&s->accepted[i].buf);
    }
    host_free(s->host);
    watchdog_free(s->watchdog);
    s->watchdog = NULL;
    while (s->env_count)
        free((char *)(uintptr_t)s->env[--s->env_count].value);
    for (uint32_t i = 0; s->has_inboxes && i < s->shard_count; i++)
        mailbox_deinit(&s->inboxes[i]);
    if (s->has_inboxes)
        mailbox_deinit(&s->host_inbox);
    s->has_inboxes = false;
    for (size_t i = 0; s->places && i < s->place_count; i++)
        place_deinit(&s->places[i]);
    s->main.host = s->host = NULL;
    s->main.shard = NULL;
    page_close(s->page);
    tls_free(s->tls);
    gate_free(s->gate);
    s->gate = NULL;
    s->tls = NULL;
    free(s->places);
    free(s->shards);
    free(s->inboxes);
    free(s->accepted);
    s->page = NULL;
    s->places = NULL;
    s->shards = NULL;
    s->inboxes = NULL;
    s->accepted = NULL;
    s->place_count = 0;
}

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
    for (size_t i = 0; i < s->place_count; i++)
        if (atomic_load(&s->places[i].beat) != atomic_load(&s->beat))
            return;
    atomic_fetch_add(&s->beat, 1);
    for (size_t i = 0; i < s->place_count; i++)
        wake_place(&s->places[i]);
    s->setup->tick(s->setup->tick_ctx);
}

static void announce(struct server *s, const struct server_setup *setup)
{
    for (size_t i = 0; i < s->listener_count; i++)
        log_info(s->log, "listening addr=%s", s->accepting[i].listener.where);
    log_info(s->log, "server ready threads=%lld version=%s",
             (long long)setup->config->threads, setup->version);
    if (setup->ready)
        setup->ready(setup->ctx);
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
    block_sigpipe(&signals);
    int result = build(s, setup, error, size);
    if (result == 0)
        result = start_threads(s, setup->config->watch, error, size);
    if (result == 0) {
        here = &s->main;
        watch_listeners(s, true);
        s->setup = setup;
        if (setup->tick) {
            ev_timer_init(&s->tick, on_tick, setup->tick_seconds, setup->tick_seconds);
            s->tick.data = s;
            ev_timer_start(s->main.loop, &s->tick);
        }
        set_running(s, true);
        announce(s, setup);
        ev_run(s->main.loop, 0);
        set_running(s, false);
        here = NULL;
    }
    tear_down(s);
    unblock_sigpipe(&signals);
    if (result == 0)
        log_info(s->log, "stopped");
    return result;
}

/* --- the rest ------------------------------------------------------------ */

int server_post(struct server *s, struct bytes room, struct bytes json)
{
    struct batch b = {0};
    struct buf both = {0};
    struct mail m = {.kind = MAIL_POST, .name_len = (uint32_t)room.len};
    int result = -1;
    if (buf_append(&both, room) == 0 && buf_append(&both, json) == 0 &&
        batch_add(&b, &m, buf_bytes(&both)) == 0) {
        pthread_mutex_lock(&s->post_lock);
        if (s->running)
            result = mailbox_post(&s->host_inbox, &b);
        pthread_mutex_unlock(&s->post_lock);
    }
    buf_deinit(&both);
    buf_deinit(&b.buf);
    return result;
}

struct stats *server_stats(struct server *s)
{
    return &s->stats;
}

int server_port(const struct server *s, size_t i)
{
    const char *colon =
        i < s->listener_count ? strrchr(s->accepting[i].listener.where, ':') : NULL;
    bool has_port = colon && !s->accepting[i].listener.path[0];
    return has_port ? (int)strtol(colon + 1, NULL, 10) : 0;
}

struct server *server_new(void)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    if (place_init(&s->main, s) < 0) {
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->post_lock, NULL);
    ev_set_cb(&s->main.wake, on_control);
    s->main.wake.data = s;
    ev_timer_init(&s->pause, on_pause_end, 0, 0);
    ev_timer_init(&s->drain, on_drain_end, 0, 0);
    ev_timer_init(&s->end, on_end, 0, 0);
    s->pause.data = s->drain.data = s->end.data = s;
    return s;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    place_deinit(&s->main);
    pthread_mutex_destroy(&s->post_lock);
    free(s);
}
