/* charlua: the public functions, on top of config and server. */
#include "charlua.h"

#include "server/server.h"
#include "play/inspect.h"
#include "play/testing.h"
#include "wire/utf8.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VERSION "0.1.0"

enum {
    OPTIONS_MAX = 128,
    NATIVES_MAX = 64,
    POST_MAX_BYTES = 16 * 1024 * 1024,
    ROOM_MAX_BYTES = 128
};

struct charlua {
    struct config config;
    struct server *server;
    struct log log;
    struct host_native natives[NATIVES_MAX];
    size_t native_count;
    void (*sink)(void *ctx, const char *level, const char *line);
    void *sink_ctx;
    void (*ready)(void *ctx);
    void *ready_ctx;
    void (*tick)(void *ctx);
    void *tick_ctx;
    double tick_seconds;
    char error[1024];
};

const char *charlua_version(void)
{
    return VERSION;
}

/* One write a line, so that lines of several threads never mix. */
static void write_stderr(const char *level, const char *line)
{
    char text[8400], stamp[32];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    int n = snprintf(text, sizeof text, "%s.%03ldZ %-5s %s\n", stamp,
                     now.tv_nsec / 1000000, level, line);
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        return; /* nobody is left to tell */
}

static void sink(void *ctx, enum log_level level, const char *line)
{
    struct charlua *c = ctx;
    if (c->sink)
        c->sink(c->sink_ctx, log_level_name(level), line);
    else
        write_stderr(log_level_name(level), line);
}

struct charlua *charlua_new(void)
{
    struct charlua *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->server = server_new();
    if (!c->server) {
        free(c);
        return NULL;
    }
    config_init(&c->config);
    c->log = (struct log){.sink = sink, .ctx = c};
    return c;
}

void charlua_free(struct charlua *server)
{
    if (!server)
        return;
    server_free(server->server);
    config_deinit(&server->config);
    free(server);
}

/* The public half of the table of options, made once. */
static struct charlua_option public_options[OPTIONS_MAX];
static pthread_once_t made_options = PTHREAD_ONCE_INIT;

static void make_options(void)
{
    size_t count;
    const struct config_option *o = config_options(&count);
    assert(count <= OPTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        public_options[i] =
            (struct charlua_option){o[i].name, o[i].argument, o[i].preset, o[i].help};
}

const struct charlua_option *charlua_options(size_t *count)
{
    (void)config_options(count);
    pthread_once(&made_options, make_options);
    return public_options;
}

int charlua_set(struct charlua *server, const char *name, const char *value)
{
    return config_set(&server->config, name, value, server->error, sizeof server->error);
}

int charlua_check(struct charlua *server)
{
    return config_finish(&server->config, server->error, sizeof server->error);
}

int charlua_register(struct charlua *server, const char *name,
                     int (*function)(struct lua_State *), void *context)
{
    if (server->native_count == NATIVES_MAX) {
        snprintf(server->error, sizeof server->error, "%d native functions are the most",
                 NATIVES_MAX);
        return -1;
    }
    server->natives[server->native_count++] =
        (struct host_native){name, function, context};
    return 0;
}

void charlua_on_log(struct charlua *server,
                    void (*log_sink)(void *context, const char *level, const char *line),
                    void *context)
{
    server->sink = log_sink;
    server->sink_ctx = context;
}

void charlua_on_ready(struct charlua *server, void (*ready)(void *context), void *context)
{
    server->ready = ready;
    server->ready_ctx = context;
}

void charlua_on_tick(struct charlua *server, double seconds, void (*tick)(void *context),
                     void *context)
{
    server->tick = tick;
    server->tick_ctx = context;
    server->tick_seconds = seconds;
}

/* What the options and the embedding program say, for as long as `server` is there. */
static struct server_setup setup_of(const struct charlua *server)
{
    return (struct server_setup){
        .config = &server->config,
        .log = &server->log,
        .natives = server->natives,
        .native_count = server->native_count,
        .ready = server->ready,
        .ctx = server->ready_ctx,
        .tick = server->tick,
        .tick_ctx = server->tick_ctx,
        .tick_seconds = server->tick_seconds,
        .version = VERSION,
    };
}

int charlua_run(struct charlua *server)
{
    if (charlua_check(server) < 0)
        return -1;
    struct server_setup setup = setup_of(server);
    server->log.level = (enum log_level)server->config.log_level;
    return server_run(server->server, &setup, server->error, sizeof server->error);
}

struct reporter {
    void (*report)(void *context, const struct charlua_case *result);
    void *context;
};

static void report_case(void *ctx, const struct testing_case *c)
{
    const struct reporter *r = ctx;
    struct charlua_case result = {c->name, c->line, c->error};
    r->report(r->context, &result);
}

int charlua_test(struct charlua *server, const char *file, const char *filter,
                 void (*report)(void *context, const struct charlua_case *result),
                 void *context)
{
    struct reporter reporter = {report, context};
    struct host_setup host;
    if (charlua_check(server) < 0)
        return -1;
    struct server_setup setup = setup_of(server);
    setup_host(&setup, &host);
    return testing_run(&host, file, filter, report_case, &reporter, server->error,
                       sizeof server->error);
}

struct inspector {
    void (*report)(void *context, const struct charlua_finding *finding);
    void *context;
};

static void report_finding(void *ctx, const struct inspect_finding *f)
{
    const struct inspector *i = ctx;
    struct charlua_finding finding = {f->file, f->line, f->is_error, f->message};
    i->report(i->context, &finding);
}

int charlua_inspect(struct charlua *server,
                    void (*report)(void *context, const struct charlua_finding *finding),
                    void *context)
{
    static const struct log silent;
    struct inspector inspector = {report, context};
    struct host_setup host;
    if (charlua_check(server) < 0)
        return -1;
    struct server_setup setup = setup_of(server);
    setup_host(&setup, &host);
    host.log = &silent;
    host.stats = server_stats(server->server);
    return inspect_run(&host, report_finding, &inspector, server->error,
                       sizeof server->error);
}

void charlua_stop(struct charlua *server)
{
    server_stop(server->server);
}

void charlua_reload(struct charlua *server)
{
    server_reload(server->server);
}

int charlua_post(struct charlua *server, const char *room, const char *json)
{
    struct bytes name = bytes_of(room), text = bytes_of(json);
    if (name.len == 0 || name.len > ROOM_MAX_BYTES || text.len > POST_MAX_BYTES ||
        !utf8_is_valid(text))
        return -1;
    return server_post(server->server, name, text);
}

void charlua_get_stats(struct charlua *server, struct charlua_stats *stats)
{
    struct stats *s = server_stats(server->server);
    *stats = (struct charlua_stats){
        .connections = stats_read(&s->connections),
        .accepted = stats_read(&s->accepted),
        .refused = stats_read(&s->refused),
        .messages_in = stats_read(&s->messages_in),
        .messages_out = stats_read(&s->messages_out),
        .dropped = stats_read(&s->dropped),
        .slow_closed = stats_read(&s->slow_closed),
        .fast_closed = stats_read(&s->fast_closed),
        .turned_away = stats_read(&s->turned_away),
        .handler_errors = stats_read(&s->handler_errors),
        .reloads = stats_read(&s->reloads),
        .reload_errors = stats_read(&s->reload_errors),
    };
}

uint64_t charlua_limit_reached(struct charlua *server, const char *option)
{
    for (enum limit i = 0; i < LIMIT_KINDS; i++)
        if (strcmp(limit_option(i), option) == 0)
            return stats_read(&server_stats(server->server)->limits[i].times);
    return 0;
}

int charlua_port(const struct charlua *server, size_t i)
{
    return server_port(server->server, i);
}

const char *charlua_error(const struct charlua *server)
{
    return server->error;
}
