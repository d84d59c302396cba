/* config: one table says what there is; the help, the parser and the tests read it.
 * Longer than other files by its tables. */
#include "config.h"

#include "charlua.h"
#include "net/listen.h"
#include "wire/http.h"
#include "wire/origin.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB 1024LL
#define MIB (1024LL * 1024)

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const struct charlua_option options[] = {
    {"listen", "ADDR:PORT", "127.0.0.1:7272 and 127.0.0.1:55151",
     "where to listen, or unix:PATH, or fd:N (inherited); tls: before it for TLS; "
     "repeatable"},
    {"cert", "FILE", NULL, "certificate chain for TLS (PEM); repeatable, chosen by SNI"},
    {"key", "FILE", NULL, "private key of the --cert in the same place (PEM)"},
    {"client-ca", "FILE", NULL, "ask clients for certificates signed by these (PEM)"},
    {"origin", "ORIGIN", NULL,
     "let pages from there connect too: scheme://host[:port], or * for any; repeatable"},
    {"trust-proxy", "CIDR", NULL,
     "believe proxies from there: PROXY header, Forwarded, X-Forwarded-For; or unix; "
     "repeatable"},
    {"threads", "N", "0 below 4 CPUs, else CPUs - 1",
     "0: everything on one thread; N: N for connections, one for the script"},
    {"script", "FILE", "chat.lua", "the rules; the same as the SCRIPT argument"},
    {"page", "DIR", "public, beside the script", "the static files to serve"},
    {"watch", NULL, NULL, "reload the rules when the script or a module of it is saved"},
    {"trusted", NULL, NULL,
     "scripts may use io, os, debug, C modules and bytecode: all that this user may"},
    {"set", "KEY=VALUE", NULL, "a value for the script, in chat.options; repeatable"},
    {"env", "NAME", NULL,
     "let the script read this environment variable, with chat.env; repeatable"},
    {"http-allow", "ORIGIN", NULL,
     "let the script ask this service, with chat.http: scheme://host[:port]; repeatable"},
    {"http-ca", "FILE", NULL,
     "trust certificates signed by these (PEM) too, when asking services"},
    {"http-max", "BYTES", "1048576",
     "largest body to or from a service; beyond it: nil, \"too large\""},
    {"log-level", "LEVEL", "info", "error, warn, info or debug"},
    {"max-message", "BYTES", "1048576",
     "largest message from a client; beyond it: close 1009"},
    {"max-fragments", "N", "16384", "most frames in one message; beyond it: close 1008"},
    {"max-connections", "N", "50000",
     "most connections in all, 0: any number; beyond it: closed"},
    {"max-per-address", "N", "2000",
     "most connections of one address, 0: any number; beyond it: closed"},
    {"max-connect-rate", "N", "500",
     "new connections a second of one address, 0: any; beyond it: closed"},
    {"max-rate", "N", "1000",
     "messages a second of one client, 0: any; beyond it: error, then close 1008"},
    {"max-byte-rate", "BYTES", "4194304", "the same in bytes of messages"},
    {"max-queued", "BYTES", "268435456",
     "most that may wait for all clients together; beyond it: see slow"},
    {"max-json-depth", "N", "64",
     "deepest nesting in a message; beyond it: error bad_json"},
    {"max-head", "BYTES", "16384", "largest head of a request; beyond it: 431"},
    {"max-fields", "N", "100", "most fields in a request's head; beyond it: 431"},
    {"max-body", "BYTES", "65536",
     "largest body of a request for the script; beyond it: 413"},
    {"max-queue", "BYTES", "1048576",
     "most that may wait for one client; beyond it: see slow"},
    {"slow", "POLICY", "close",
     "a client whose queue is full: close (1013) or drop the message"},
    {"max-rooms", "N", "100000", "most rooms in all; beyond it join says no"},
    {"max-client-rooms", "N", "64", "most rooms of one client; beyond it join says no"},
    {"deflate-min", "BYTES", "256",
     "smallest message that is compressed (permessage-deflate)"},
    {"no-deflate", NULL, NULL, "never compress"},
    {"head-time", "SECONDS", "10",
     "time for a request's head to arrive, and as much for its body"},
    {"answer-time", "SECONDS", "60", "time for the script to answer a request"},
    {"ping-interval", "SECONDS", "30", "time between our pings"},
    {"ping-timeout", "SECONDS", "20, or less than the interval",
     "time for a sign of life after a ping"},
    {"close-time", "SECONDS", "3", "time for the peer's part of a close"},
    {"handler-time", "MILLISECONDS", "50", "time that a handler may run"},
    {"script-memory", "BYTES", "268435456", "memory that the script may use"},
};

/* Whole numbers: where they live and between what. Bytes may end in k or m. */
static const struct {
    const char *name;
    size_t offset;
    int64_t preset, min, max;
} numbers[] = {
    {"threads", offsetof(struct config, threads), -1, 0, CONFIG_THREADS_MAX},
    {"max-message", offsetof(struct config, max_message), 1 * MIB, 1, 1024 * MIB},
    {"max-fragments", offsetof(struct config, max_fragments), 16384, 1, 1 << 30},
    {"max-head", offsetof(struct config, max_head), 16 * KIB, 256, 1 * MIB},
    {"max-fields", offsetof(struct config, max_fields), 100, 8, HTTP_FIELDS_MAX},
    {"max-body", offsetof(struct config, max_body), 64 * KIB, 1, 64 * MIB},
    {"max-connections", offsetof(struct config, max_connections), 50000, 0, 1 << 21},
    {"max-per-address", offsetof(struct config, max_per_address), 2000, 0, 1 << 21},
    {"max-connect-rate", offsetof(struct config, max_connect_rate), 500, 0, 1000000},
    {"max-rate", offsetof(struct config, max_rate), 1000, 0, 1000000},
    {"max-byte-rate", offsetof(struct config, max_byte_rate), 4 * MIB, 0, 1024 * MIB},
    {"max-queued", offsetof(struct config, max_queued), 256 * MIB, 64 * KIB,
     1024 * 1024 * MIB},
    {"max-json-depth", offsetof(struct config, max_json_depth), 64, 1, 1000},
    {"max-queue", offsetof(struct config, max_queue), 1 * MIB, 1 * KIB, 1024 * MIB},
    {"max-rooms", offsetof(struct config, max_rooms), 100000, 1, 100000000},
    {"max-client-rooms", offsetof(struct config, max_client_rooms), 64, 1, 10000},
    {"deflate-min", offsetof(struct config, deflate_min), 256, 1, 1024 * MIB},
    {"head-time", offsetof(struct config, head_time), 10, 1, 3600},
    {"answer-time", offsetof(struct config, answer_time), 60, 1, 3600},
    {"ping-interval", offsetof(struct config, ping_interval), 30, 2, 86400},
    {"ping-timeout", offsetof(struct config, ping_timeout), -1, 1, 86400},
    {"close-time", offsetof(struct config, close_time), 3, 1, 60},
    {"handler-time", offsetof(struct config, handler_time), 50, 1, 60000},
    {"script-memory", offsetof(struct config, script_memory), 256 * MIB, 1 * MIB,
     65536 * MIB},
    {"http-max", offsetof(struct config, http_max), 1 * MIB, 1 * KIB, 64 * MIB},
};

const struct charlua_option *config_options(size_t *count)
{
    *count = COUNT_OF(options);
    return options;
}

static int64_t *number_at(struct config *c, size_t i)
{
    return (int64_t *)(void *)((char *)c + numbers[i].offset);
}

void config_init(struct config *c)
{
    *c = (struct config){.log_level = LOG_INFO};
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        *number_at(c, i) = numbers[i].preset;
}

void config_deinit(struct config *c)
{
    for (size_t i = 0; i < c->listen_count; i++)
        free(c->listen[i]);
    for (size_t i = 0; i < c->set_count; i++) {
        free(c->set[i].key);
        free(c->set[i].value);
    }
    for (size_t i = 0; i < CONFIG_CERT_MAX; i++) {
        free(c->cert[i]);
        free(c->key[i]);
    }
    for (size_t i = 0; i < c->origin_count; i++)
        free(c->origin[i]);
    for (size_t i = 0; i < c->env_count; i++)
        free(c->env[i]);
    for (size_t i = 0; i < c->http_allow_count; i++)
        free(c->http_allow[i]);
    free(c->http_ca);
    free(c->client_ca);
    free(c->script);
    free(c->page);
    *c = (struct config){0};
}

static int set_number(struct config *c, size_t i, const char *value, char *error,
                      size_t size)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    bool bytes =
        strstr("max-message max-head max-body max-queue max-queued max-byte-rate "
               "deflate-min script-memory http-max",
               numbers[i].name) != NULL;
    if (bytes && n >= 0 && end != value && (*end == 'k' || *end == 'm') && !end[1] &&
        n < 1 << 30)
        n *= *end++ == 'k' ? KIB : MIB;
    if (end == value || *end || errno || n < numbers[i].min || n > numbers[i].max) {
        snprintf(error, size, "--%s '%s': say a whole number from %lld to %lld%s",
                 numbers[i].name, value, (long long)numbers[i].min,
                 (long long)numbers[i].max, bytes ? ", or with k or m behind it" : "");
        return -1;
    }
    *number_at(c, i) = n;
    return 0;
}

static int set_text(char **at, const char *value, char *error, size_t size)
{
    char *copy = strdup(value);
    if (!copy) {
        snprintf(error, size, "out of memory");
        return -1;
    }
    free(*at);
    *at = copy;
    return 0;
}

/* The "fd:N" of a listen specification, or NULL. */
static const char *inherited(const char *spec)
{
    spec += strncmp(spec, "tls:", 4) == 0 ? 4 : 0;
    return strncmp(spec, "fd:", 3) == 0 ? spec : NULL;
}

static int add_listen(struct config *c, const char *value, char *error, size_t size)
{
    if (listener_check(value, error, size) < 0)
        return -1;
    for (size_t i = 0; inherited(value) && i < c->listen_count; i++)
        if (inherited(c->listen[i]) &&
            strcmp(inherited(c->listen[i]), inherited(value)) == 0)
            return 0; /* systemd hands over what --listen tls:fd:3 has named already */
    if (c->listen_count == CONFIG_LISTEN_MAX) {
        snprintf(error, size, "--listen %s: %d addresses are the most", value,
                 CONFIG_LISTEN_MAX);
        return -1;
    }
    if (set_text(&c->listen[c->listen_count], value, error, size) < 0)
        return -1;
    c->listen_count++;
    return 0;
}

static int add_text(char **texts, size_t *count, size_t max, const char *name,
                    const char *value, char *error, size_t size)
{
    if (*count == max) {
        snprintf(error, size, "--%s %s: %zu are the most", name, value, max);
        return -1;
    }
    if (set_text(&texts[*count], value, error, size) < 0)
        return -1;
    ++*count;
    return 0;
}

static int add_trusted(struct config *c, const char *value, char *error, size_t size)
{
    if (c->trusted_count == CONFIG_ORIGIN_MAX ||
        cidr_parse(value, &c->trusted[c->trusted_count]) < 0) {
        snprintf(error, size,
                 "--trust-proxy '%s': say an address, a range like 10.0.0.0/8 or unix; "
                 "%d are the most",
                 value, CONFIG_ORIGIN_MAX);
        return -1;
    }
    c->trusted_count++;
    return 0;
}

static int add_set(struct config *c, const char *value, char *error, size_t size)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value) {
        snprintf(error, size, "--set '%s': say KEY=VALUE", value);
        return -1;
    }
    if (c->set_count == CONFIG_SET_MAX) {
        snprintf(error, size, "--set %s: %d pairs are the most", value, CONFIG_SET_MAX);
        return -1;
    }
    struct config_pair *pair = &c->set[c->set_count];
    pair->key = strndup(value, (size_t)(equals - value));
    pair->value = strdup(equals + 1);
    if (!pair->key || !pair->value) {
        free(pair->key);
        free(pair->value);
        *pair = (struct config_pair){0};
        snprintf(error, size, "out of memory");
        return -1;
    }
    c->set_count++;
    return 0;
}

/* What a shell would take for a name. */
static bool is_variable_name(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *name && (*name < '0' || *name > '9') && !name[strspn(name, allowed)];
}

static int add_env(struct config *c, const char *value, char *error, size_t size)
{
    if (!is_variable_name(value)) {
        snprintf(error, size, "--env '%s': say a variable's name, like API_KEY", value);
        return -1;
    }
    return add_text(c->env, &c->env_count, CONFIG_ENV_MAX, "env", value, error, size);
}

static int add_service(struct config *c, const char *value, char *error, size_t size)
{
    if (!url_is_origin(value)) {
        snprintf(error, size,
                 "--http-allow '%s': say scheme://host[:port], like "
                 "https://api.example.org; nothing behind it",
                 value);
        return -1;
    }
    return add_text(c->http_allow, &c->http_allow_count, CONFIG_ORIGIN_MAX, "http-allow",
                    value, error, size);
}

static int set_log_level(struct config *c, const char *value, char *error, size_t size)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        if (strcmp(value, log_level_name((enum log_level)level)) == 0) {
            c->log_level = (enum log_level)level;
            return 0;
        }
    }
    snprintf(error, size, "--log-level '%s': say error, warn, info or debug", value);
    return -1;
}

static int set_slow(struct config *c, const char *value, char *error, size_t size)
{
    if (strcmp(value, "close") != 0 && strcmp(value, "drop") != 0) {
        snprintf(error, size, "--slow '%s': say close or drop", value);
        return -1;
    }
    c->drop_when_slow = *value == 'd';
    return 0;
}

int config_set(struct config *c, const char *name, const char *value, char *error,
               size_t size)
{
    bool *flag = strcmp(name, "watch") == 0        ? &c->watch
                 : strcmp(name, "trusted") == 0    ? &c->trusted_script
                 : strcmp(name, "no-deflate") == 0 ? &c->no_deflate
                                                   : NULL;
    if (flag) {
        *flag = true;
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strcmp(name, options[i].name) == 0 && !value) {
            snprintf(error, size, "--%s needs a value: %s", name, options[i].argument);
            return -1;
        }
    }
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (strcmp(name, numbers[i].name) == 0)
            return set_number(c, i, value, error, size);
    if (strcmp(name, "listen") == 0)
        return add_listen(c, value, error, size);
    if (strcmp(name, "set") == 0)
        return add_set(c, value, error, size);
    if (strcmp(name, "script") == 0)
        return set_text(&c->script, value, error, size);
    if (strcmp(name, "cert") == 0)
        return add_text(c->cert, &c->cert_count, CONFIG_CERT_MAX, name, value, error,
                        size);
    if (strcmp(name, "key") == 0)
        return add_text(c->key, &c->key_count, CONFIG_CERT_MAX, name, value, error, size);
    if (strcmp(name, "client-ca") == 0)
        return set_text(&c->client_ca, value, error, size);
    if (strcmp(name, "origin") == 0 && !origin_is_valid(value)) {
        snprintf(
            error, size,
            "--origin '%s': say scheme://host[:port], like https://example.org, or *",
            value);
        return -1;
    }
    if (strcmp(name, "origin") == 0)
        return add_text(c->origin, &c->origin_count, CONFIG_ORIGIN_MAX, name, value,
                        error, size);
    if (strcmp(name, "trust-proxy") == 0)
        return add_trusted(c, value, error, size);
    if (strcmp(name, "env") == 0)
        return add_env(c, value, error, size);
    if (strcmp(name, "http-allow") == 0)
        return add_service(c, value, error, size);
    if (strcmp(name, "http-ca") == 0)
        return set_text(&c->http_ca, value, error, size);
    if (strcmp(name, "page") == 0)
        return set_text(&c->page, value, error, size);
    if (strcmp(name, "log-level") == 0)
        return set_log_level(c, value, error, size);
    if (strcmp(name, "slow") == 0)
        return set_slow(c, value, error, size);
    snprintf(error, size, "there is no option --%s", name);
    return -1;
}

int config_finish(struct config *c, char *error, size_t size)
{
    if (!c->script) {
        snprintf(error, size, "no script: say which rules to run with --script FILE");
        return -1;
    }
    if (c->cert_count != c->key_count) {
        snprintf(error, size, "%zu --cert but %zu --key: they go in pairs", c->cert_count,
                 c->key_count);
        return -1;
    }
    for (size_t i = 0; i < c->listen_count; i++) {
        if (strncmp(c->listen[i], "tls:", 4) == 0 && c->cert_count == 0) {
            snprintf(error, size, "--listen %s needs --cert FILE and --key FILE",
                     c->listen[i]);
            return -1;
        }
    }
    if (c->ping_timeout < 0)
        c->ping_timeout = c->ping_interval > 20 ? 20 : c->ping_interval * 2 / 3;
    if (c->ping_timeout == 0 || c->ping_timeout >= c->ping_interval) {
        snprintf(error, size,
                 "--ping-timeout %lld has to be less than --ping-interval %lld",
                 (long long)c->ping_timeout, (long long)c->ping_interval);
        return -1;
    }
    if (c->listen_count == 0 && (add_listen(c, "127.0.0.1:7272", error, size) < 0 ||
                                 add_listen(c, "127.0.0.1:55151", error, size) < 0))
        return -1;
    if (c->threads < 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        c->threads = cpus < 4                    ? 0
                     : cpus > CONFIG_THREADS_MAX ? CONFIG_THREADS_MAX
                                                 : cpus - 1;
    }
    return 0;
}
