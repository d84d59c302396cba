/* charlua: the public functions, on top of config and server. */
#include "charlua.h"

#include "base/nearest.h"
#include "charlua_state.h"
#include "play/inspect.h"
#include "play/testing.h"
#include "stderr_log.h"
#include "wire/utf8.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "0.1.0"

enum {
    OPTIONS_MAX = 128,
    NATIVE_NAME_MAX = 64,
    POST_MAX_BYTES = 16 * 1024 * 1024,
    ROOM_MAX_BYTES = 128,
    TICK_SECONDS_MAX = 1000000
};

const char *charlua_version(void)
{
    return VERSION;
}

const char *charlua_error(const struct charlua *server)
{
    return state_error(server);
}

/* --- the log ---------------------------------------------------------------- */

static void sink(void *ctx, enum log_level level, const char *line)
{
    struct charlua *c = ctx;
    if (c->sink)
        c->sink(c->sink_ctx, log_level_name(level), line);
    else
        stderr_log_line(log_level_name(level), line);
}

static void settle(void *ctx)
{
    if (!((struct charlua *)ctx)->sink)
        stderr_log_flush();
}

struct charlua *charlua_new(void)
{
    static atomic_uint_fast64_t ids;
    struct charlua *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->server = server_new();
    if (!c->server) {
        free(c);
        return NULL;
    }
    c->id = atomic_fetch_add(&ids, 1) + 1;
    pthread_mutex_init(&c->lock, NULL);
    config_init(&c->config);
    c->log = (struct log){.sink = sink, .ctx = c, .settle = settle};
    return c;
}

void charlua_free(struct charlua *server)
{
    if (!server)
        return;
    if (state_lock(server, "charlua_free") < 0) {
        log_error(&server->log, "charlua_free: the server runs, and is not freed");
        return;
    }
    state_unlock(server, 0);
    server_free(server->server);
    config_deinit(&server->config);
    while (server->native_count)
        free((char *)(uintptr_t)server->natives[--server->native_count].name);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* --- before the start ------------------------------------------------------ */

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

const char *charlua_nearest(const char *word, const char *const *names)
{
    struct nearest near = nearest_to(word);
    for (; *names; names++)
        nearest_try(&near, *names);
    return near.best;
}

int charlua_set(struct charlua *server, const char *name, const char *value)
{
    if (state_lock(server, "charlua_set") < 0)
        return -1;
    if (!name)
        return state_unlock(server, state_fail("charlua_set: say an option's name"));
    return state_unlock(server, config_set(&server->config, name, value,
                                           state_begin(server), ERROR_MAX_BYTES));
}

int charlua_check(struct charlua *server)
{
    struct config finished;
    if (state_lock(server, "charlua_check") < 0)
        return -1;
    return state_unlock(server, config_finish(&server->config, &finished,
                                              state_begin(server), ERROR_MAX_BYTES));
}

/* What Lua takes for a name, so that chat.native.NAME can be written. */
static bool is_name(const char *name)
{
    static const char allowed[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    size_t len = strlen(name);
    return len && len <= NATIVE_NAME_MAX && !strchr("0123456789", *name) &&
           !name[strspn(name, allowed)];
}

static int add_native(struct charlua *c, const char *name,
                      int (*function)(struct lua_State *), void *context)
{
    if (!name || !is_name(name))
        return state_fail(
            "charlua_register: a name is 1 to %d letters, digits and _, and "
            "begins with no digit",
            NATIVE_NAME_MAX);
    if (!function)
        return state_fail("charlua_register: '%s' needs a function", name);
    for (size_t i = 0; i < c->native_count; i++)
        if (strcmp(c->natives[i].name, name) == 0)
            return state_fail("charlua_register: '%s' is registered already", name);
    if (c->native_count == NATIVES_MAX)
        return state_fail("charlua_register: %d native functions are the most",
                          NATIVES_MAX);
    char *copy = strdup(name);
    if (!copy)
        return state_fail("out of memory");
    c->natives[c->native_count++] = (struct host_native){copy, function, context};
    return 0;
}

int charlua_register(struct charlua *server, const char *name,
                     int (*function)(struct lua_State *), void *context)
{
    if (state_lock(server, "charlua_register") < 0)
        return -1;
    return state_unlock(server, add_native(server, name, function, context));
}

int charlua_on_log(struct charlua *server,
                   void (*log_sink)(void *context, const char *level, const char *line),
                   void *context)
{
    if (state_lock(server, "charlua_on_log") < 0)
        return -1;
    server->sink = log_sink;
    server->sink_ctx = context;
    return state_unlock(server, 0);
}

int charlua_on_ready(struct charlua *server, void (*ready)(void *context), void *context)
{
    if (state_lock(server, "charlua_on_ready") < 0)
        return -1;
    server->ready = ready;
    server->ready_ctx = context;
    return state_unlock(server, 0);
}

int charlua_on_tick(struct charlua *server, double seconds, void (*tick)(void *context),
                    void *context)
{
    if (state_lock(server, "charlua_on_tick") < 0)
        return -1;
    if (tick && !(seconds > 0 && seconds <= TICK_SECONDS_MAX)) /* NaN is neither */
        return state_unlock(
            server,
            state_fail("charlua_on_tick: say seconds above 0, to %d", TICK_SECONDS_MAX));
    server->tick = tick;
    server->tick_ctx = context;
    server->tick_seconds = seconds;
    return state_unlock(server, 0);
}

/* --- runs, tests, inspections ---------------------------------------------- */

int charlua_run(struct charlua *server)
{
    struct server_setup setup;
    if (state_borrow(server, "charlua_run", &setup) < 0)
        return -1;
    if (server->has_run)
        return state_give_back(
            server, state_fail("charlua_run: a server runs once: make a new one"));
    server->has_run = true;
    setup.version = VERSION;
    server->log.level = (enum log_level)server->finished.log_level;
    char error[ERROR_MAX_BYTES];
    int result = server_run(server->server, &setup, error, sizeof error);
    pthread_mutex_lock(&server->lock);
    snprintf(server->run_error, sizeof server->run_error, "%s", result < 0 ? error : "");
    state_unlock(server, 0);
    state_begin(server); /* callbacks on this thread may have said something */
    return state_give_back(server, result < 0 ? state_fail("%s", error) : 0);
}

struct reporter {
    void (*report)(void *context, const struct charlua_case *result);
    void *context;
};

static void report_case(void *ctx, const struct testing_case *c)
{
    const struct reporter *r = ctx;
    struct charlua_case result = {c->name, c->line, c->error};
    if (r->report)
        r->report(r->context, &result);
}

int charlua_test(struct charlua *server, const char *file, const char *filter,
                 void (*report)(void *context, const struct charlua_case *result),
                 void *context)
{
    struct reporter reporter = {report, context};
    struct server_setup setup;
    struct host_setup host;
    char error[ERROR_MAX_BYTES];
    if (state_borrow(server, "charlua_test", &setup) < 0)
        return -1;
    if (!file)
        return state_give_back(server, state_fail("charlua_test: say a file"));
    setup.version = VERSION;
    setup_host(&setup, &host);
    int result =
        testing_run(&host, file, filter, report_case, &reporter, error, sizeof error);
    state_begin(server);
    return state_give_back(server, result < 0 ? state_fail("%s", error) : 0);
}

struct inspector {
    void (*report)(void *context, const struct charlua_finding *finding);
    void *context;
};

static void report_finding(void *ctx, const struct inspect_finding *f)
{
    const struct inspector *i = ctx;
    struct charlua_finding finding = {f->file, f->line, f->is_error, f->message};
    if (i->report)
        i->report(i->context, &finding);
}

/* What chat.env tells, as it is now. NULL when memory is out. */
static struct host_option *look_at_env(const struct config_list *names)
{
    struct host_option *env = calloc(names->count + 1, sizeof *env);
    for (size_t i = 0; env && i < names->count; i++)
        env[i] = (struct host_option){names->at[i], getenv(names->at[i])};
    return env;
}

int charlua_inspect(struct charlua *server,
                    void (*report)(void *context, const struct charlua_finding *finding),
                    void *context)
{
    static const struct log silent;
    struct inspector inspector = {report, context};
    struct server_setup setup;
    struct host_setup host;
    char error[ERROR_MAX_BYTES];
    if (state_borrow(server, "charlua_inspect", &setup) < 0)
        return -1;
    setup.version = VERSION;
    setup_host(&setup, &host);
    host.log = &silent;
    host.stats = server_stats(server->server);
    struct host_option *env = look_at_env(&setup.config->env);
    host.env = env;
    host.env_count = env ? setup.config->env.count : 0;
    int result = inspect_run(&host, report_finding, &inspector, error, sizeof error);
    free(env);
    state_begin(server);
    return state_give_back(server, result < 0 ? state_fail("%s", error) : 0);
}

/* --- any thread, at any time ----------------------------------------------- */

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
    struct bytes name = room ? bytes_of(room) : (struct bytes){0};
    struct bytes text = json ? bytes_of(json) : (struct bytes){0};
    state_begin(server);
    if (name.len == 0 || name.len > ROOM_MAX_BYTES)
        return state_fail("charlua_post: the name of a room is 1 to %d bytes",
                          ROOM_MAX_BYTES);
    if (text.len == 0)
        return state_fail("charlua_post: there is no text");
    if (text.len > POST_MAX_BYTES)
        return state_fail("charlua_post: the text is larger than 16 MiB");
    if (!utf8_is_valid(text))
        return state_fail("charlua_post: the text is not UTF-8");
    switch (server_post(server->server, name, text)) {
    case SERVER_POSTED:
        return 0;
    case SERVER_STOPPED:
        return state_fail("charlua_post: the server does not run");
    case SERVER_FULL:
        return state_fail("charlua_post: too much waits for the rules: post it later");
    case SERVER_NO_MEMORY:
        break;
    }
    return state_fail("out of memory");
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
    for (enum limit i = 0; option && i < LIMIT_KINDS; i++)
        if (strcmp(limit_option(i), option) == 0)
            return stats_read(&server_stats(server->server)->limits[i].times);
    return 0;
}

int charlua_port(const struct charlua *server, size_t i)
{
    return server_port(server->server, i);
}
