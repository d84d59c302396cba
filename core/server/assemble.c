/* assemble: a table of steps, each an opener beside its closer. assemble() opens them
 * from the top and stops at the first that fails; disassemble() closes all from the
 * bottom, so a closer finds everything that its opener found, and takes what was never
 * opened as well. Files and addresses, which people get wrong, come before threads and
 * memory. */
#include "server/assemble.h"

#include "base/clock.h"
#include "lua/stall_log.h"
#include "net/page.h"
#include "net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INBOX_BYTES (4UL * 1024 * 1024)

/* Where an opener says what is wrong; without a word it is memory or descriptors. */
struct complaint {
    char *at;
    size_t size;
};

static int open_page(struct actors *a, const struct server_setup *setup,
                     struct complaint error)
{
    const struct config *c = setup->config;
    char beside[1024];
    const char *slash = strrchr(c->script, '/');
    snprintf(beside, sizeof beside, "%.*s/public", slash ? (int)(slash - c->script) : 1,
             slash ? c->script : ".");
    a->page = page_open(c->page ? c->page : beside);
    if (a->page || !c->page)
        return 0; /* without files of its own a script is served without a page */
    snprintf(error.at, error.size, "cannot serve --page %s: %s", c->page,
             strerror(errno));
    return -1;
}

static void close_page(struct actors *a)
{
    page_close(a->page);
}

static int open_tls(struct actors *a, const struct server_setup *setup,
                    struct complaint error)
{
    const struct config *c = setup->config;
    struct tls_files files[CONFIG_CERT_MAX];
    if (!c->cert.count)
        return 0;
    for (size_t i = 0; i < c->cert.count; i++)
        files[i] = (struct tls_files){c->cert.at[i], c->key.at[i]};
    a->tls = tls_new(files, c->cert.count, c->client_ca, error.at, error.size);
    return a->tls ? 0 : -1;
}

static void close_tls(struct actors *a)
{
    tls_free(a->tls);
}

static int open_entrance(struct actors *a, const struct server_setup *setup,
                         struct complaint error)
{
    a->entrance = entrance_open(setup->config, error.at, error.size);
    return a->entrance ? 0 : -1;
}

static void close_entrance(struct actors *a)
{
    entrance_close(a->entrance);
    a->entrance = NULL;
}

static int open_gate(struct actors *a, const struct server_setup *setup,
                     struct complaint error)
{
    (void)error;
    struct gate_limits limits;
    setup_gate(setup->config, &limits);
    a->gate = gate_new(&limits);
    return a->gate ? 0 : -1;
}

static void close_gate(struct actors *a)
{
    gate_free(a->gate);
}

static int open_places(struct actors *a, const struct server_setup *setup,
                       struct complaint error)
{
    (void)error;
    size_t threads = (size_t)setup->config->threads;
    a->shard_count = threads ? (uint32_t)threads : 1;
    quota_init(&a->held, (size_t)setup->config->max_queued, a->shard_count + 1);
    a->places = calloc(threads + 1, sizeof *a->places);
    for (; a->places && threads && a->place_count < threads + 1; a->place_count++)
        if (place_init(&a->places[a->place_count], &a->common) < 0)
            return -1;
    a->host_place = threads ? a->places : &a->main;
    return a->places ? 0 : -1;
}

static void close_places(struct actors *a)
{
    while (a->place_count)
        place_deinit(&a->places[--a->place_count]);
    free(a->places);
    a->places = NULL;
}

/* The place of shard `i`. */
static struct place *shard_place(struct actors *a, uint32_t i)
{
    return a->place_count ? &a->places[i + 1] : &a->main;
}

static void wake_host(void *ctx)
{
    place_wake(((struct actors *)ctx)->host_place);
}

/* The host has emptied its full inbox: who fills it may go on. */
static void host_drained(void *ctx)
{
    struct actors *a = ctx;
    for (size_t i = 0; i < a->place_count; i++)
        place_wake(&a->places[i]);
    fetch_wake(a->fetch);
}

static void wake_shard(void *ctx)
{
    place_wake(ctx);
}

/* A shard has emptied its full inbox: the host may go on. It is woken even from its own
 * thread: its turn has come before the shard's. */
static void shard_drained(void *ctx)
{
    place_wake_again(((struct place *)ctx)->common->host);
}

static int open_inboxes(struct actors *a, const struct server_setup *setup,
                        struct complaint error)
{
    (void)setup, (void)error;
    a->common.host = a->host_place;
    a->inboxes = calloc(a->shard_count, sizeof *a->inboxes);
    if (!a->inboxes)
        return -1;
    mailbox_init(&a->common.host_inbox, INBOX_BYTES, wake_host, host_drained, a);
    for (uint32_t i = 0; i < a->shard_count; i++)
        mailbox_init(&a->inboxes[i], INBOX_BYTES, wake_shard, shard_drained,
                     shard_place(a, i));
    a->has_inboxes = true;
    return 0;
}

static void close_inboxes(struct actors *a)
{
    for (uint32_t i = 0; a->has_inboxes && i < a->shard_count; i++)
        mailbox_deinit(&a->inboxes[i]);
    if (a->has_inboxes)
        mailbox_deinit(&a->common.host_inbox);
    free(a->inboxes);
    a->inboxes = NULL;
    a->has_inboxes = false;
}

/* How the entrance reaches the shards. */
static int open_way_in(struct actors *a, const struct server_setup *setup,
                       struct complaint error)
{
    (void)error;
    struct entrance_setup lead = {.loop = a->main.loop,
                                  .inboxes = a->inboxes,
                                  .shard_count = a->shard_count,
                                  .gate = a->gate,
                                  .log = setup->log,
                                  .stats = &a->stats};
    return entrance_lead(a->entrance, &lead);
}

static int open_fetch(struct actors *a, const struct server_setup *setup,
                      struct complaint error)
{
    struct fetch_setup fetch;
    if (!setup->config->http_allow.count)
        return 0;
    setup_fetch(setup, &fetch);
    fetch.host = &a->common.host_inbox;
    fetch.stats = &a->stats;
    a->fetch = fetch_new(&fetch, error.at, error.size);
    return a->fetch ? 0 : -1;
}

static void close_fetch(struct actors *a)
{
    fetch_free(a->fetch);
    a->fetch = NULL;
}

/* What the script may read of the environment, as it is now. */
static int open_env(struct actors *a, const struct server_setup *setup,
                    struct complaint error)
{
    (void)error;
    const struct config_list *names = &setup->config->env;
    for (; a->env_count < names->count; a->env_count++) {
        const char *value = getenv(names->at[a->env_count]);
        char *copy = value ? strdup(value) : NULL;
        if (value && !copy)
            return -1;
        a->env[a->env_count] = (struct host_option){names->at[a->env_count], copy};
    }
    return 0;
}

static void close_env(struct actors *a)
{
    while (a->env_count)
        free((char *)(uintptr_t)a->env[--a->env_count].value);
}

static int open_host(struct actors *a, const struct server_setup *setup,
                     struct complaint error)
{
    (void)error;
    struct host_setup host;
    setup_host(setup, &host);
    host.stall_log = a->stall_log =
        stall_log_new(setup->log); /* it serves without, too */
    host.stats = &a->stats;
    host.held = &a->held;
    host.inbox = &a->common.host_inbox;
    host.shards = a->inboxes;
    host.shard_count = a->shard_count;
    host.is_draining = &a->draining;
    host.services = a->fetch ? fetch_inbox(a->fetch) : NULL;
    host.env = a->env;
    host.env_count = a->env_count;
    host.now = clock_now();
    host.wall = clock_wall();
    a->host = a->host_place->host = host_new(&host);
    return a->host ? 0 : -1;
}

static void close_host(struct actors *a)
{
    host_free(a->host);
    stall_log_free(a->stall_log);
    a->host = a->main.host = NULL;
    a->stall_log = NULL;
}

static int open_shards(struct actors *a, const struct server_setup *setup,
                       struct complaint error)
{
    (void)error;
    a->shards = calloc(a->shard_count, sizeof(struct shard *));
    for (uint32_t i = 0; a->shards && i < a->shard_count; i++) {
        struct place *p = shard_place(a, i);
        struct shard_setup shard;
        setup_shard(setup, &shard);
        shard.index = i;
        shard.loop = p->loop;
        shard.inbox = &a->inboxes[i];
        shard.host = &a->common.host_inbox;
        shard.stats = &a->stats;
        shard.held = &a->held;
        shard.page = a->page;
        shard.tls = a->tls;
        shard.gate = a->gate;
        a->shards[i] = p->shard = shard_new(&shard);
        if (!p->shard)
            return -1;
    }
    return a->shards ? 0 : -1;
}

static void close_shards(struct actors *a)
{
    for (uint32_t i = 0; a->shards && i < a->shard_count; i++)
        shard_free(a->shards[i]);
    free(a->shards);
    a->shards = NULL;
    a->main.shard = NULL;
}

static int load_rules(struct actors *a, const struct server_setup *setup,
                      struct complaint error)
{
    if (host_load(a->host) == 0)
        return 0;
    snprintf(error.at, error.size, "%s could not be loaded; the line above says why",
             setup->config->script);
    return -1;
}

static int open_threads(struct actors *a, const struct server_setup *setup,
                        struct complaint error)
{
    if (setup->config->watch)
        place_watch(a->host_place);
    for (size_t i = 0; i < a->place_count; i++) {
        if (place_start(&a->places[i]) < 0) {
            snprintf(error.at, error.size, "cannot start a thread: %s", strerror(errno));
            return -1;
        }
    }
    return 0;
}

static void close_threads(struct actors *a)
{
    atomic_store(&a->common.ending, true);
    for (size_t i = 0; i < a->place_count; i++)
        place_join(&a->places[i]);
}

static const struct {
    int (*open)(struct actors *, const struct server_setup *, struct complaint);
    void (*close)(struct actors *); /* NULL: nothing to end */
} steps[] = {
    {open_page, close_page},
    {open_tls, close_tls},
    {open_entrance, close_entrance},
    {open_gate, close_gate},
    {open_places, close_places},
    {open_inboxes, close_inboxes},
    {open_way_in, NULL},
    {open_fetch, close_fetch},
    {open_env, close_env},
    {open_host, close_host},
    {open_shards, close_shards},
    {load_rules, NULL},
    {open_threads, close_threads},
};

enum { STEPS = sizeof steps / sizeof *steps };

int assemble(struct actors *a, const struct server_setup *setup, char *error, size_t size)
{
    snprintf(error, size, "out of memory or of file descriptors");
    for (size_t i = 0; i < STEPS; i++)
        if (steps[i].open(a, setup, (struct complaint){error, size}) < 0)
            return -1;
    *error = 0;
    return 0;
}

void disassemble(struct actors *a)
{
    for (size_t i = STEPS; i-- > 0;)
        if (steps[i].close)
            steps[i].close(a);
}

static void tell(struct mailbox *to, enum mail_kind kind)
{
    struct batch b = {0};
    struct mail m = {.kind = kind};
    if (batch_add(&b, &m, (struct bytes){0}) == 0)
        (void)mailbox_post(to, &b);
    buf_deinit(&b.buf);
}

void actors_tell_shards(struct actors *a, enum mail_kind kind)
{
    for (uint32_t i = 0; i < a->shard_count; i++)
        tell(&a->inboxes[i], kind);
}

void actors_tell_host(struct actors *a, enum mail_kind kind)
{
    tell(&a->common.host_inbox, kind);
}
