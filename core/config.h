/* config: options by name to one struct; an unknown or unusable one is an error with a
 * sentence. Does not know: argv, environment, files; main.c and embedding programs hand
 * it pairs. Thread: any, before the start. Owner: the server, which embeds it. */
#ifndef CHARLUA_CONFIG_H
#define CHARLUA_CONFIG_H

#include "base/cidr.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct charlua_option;

enum {
    CONFIG_LISTEN_MAX = 16,
    CONFIG_SET_MAX = 256,
    CONFIG_CERT_MAX = 16,
    CONFIG_ORIGIN_MAX = 64,
    CONFIG_ENV_MAX = 64,
    CONFIG_THREADS_MAX = 64
};

struct config_pair {
    char *key, *value;
};

struct config {
    char *listen[CONFIG_LISTEN_MAX];
    size_t listen_count;
    struct config_pair set[CONFIG_SET_MAX];
    size_t set_count;
    char *origin[CONFIG_ORIGIN_MAX];
    size_t origin_count;
    struct cidr trusted[CONFIG_ORIGIN_MAX];
    size_t trusted_count;
    char *cert[CONFIG_CERT_MAX], *key[CONFIG_CERT_MAX]; /* pairs */
    size_t cert_count, key_count;
    char *client_ca;
    char *env[CONFIG_ENV_MAX]; /* names */
    size_t env_count;
    char *http_allow[CONFIG_ORIGIN_MAX];
    size_t http_allow_count;
    char *http_ca;
    char *script;
    char *page;      /* NULL: "public" beside the script */
    int64_t threads; /* -1: by the number of CPUs */
    bool watch;
    bool trusted_script;
    bool no_deflate;
    bool drop_when_slow;
    enum log_level log_level;
    int64_t max_message, max_fragments, max_head, max_body, max_fields, max_queue,
        max_rooms, max_client_rooms;
    int64_t head_time, answer_time, ping_interval, ping_timeout, close_time; /* seconds */
    int64_t max_connections, max_per_address, max_connect_rate, max_rate, max_byte_rate,
        max_queued;
    int64_t max_json_depth;
    int64_t deflate_min;   /* bytes */
    int64_t handler_time;  /* milliseconds */
    int64_t script_memory; /* bytes */
    int64_t http_max;      /* bytes */
};

void config_init(struct config *c);
void config_deinit(struct config *c);

/* Sets option `name` (without dashes) to `value`; a flag's value may be NULL. Returns 0,
 * or -1 with what is wrong and what to say instead in `error`; then nothing has changed.
 */
int config_set(struct config *c, const char *name, const char *value, char *error,
               size_t size);

/* Fills in what was not said and checks what only makes sense together. Returns 0 or -1
 * like config_set. */
int config_finish(struct config *c, char *error, size_t size);

/* All options, in the order of the help. */
const struct charlua_option *config_options(size_t *count);

#endif
