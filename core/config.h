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

enum {
    CONFIG_LISTEN_MAX = 16,
    CONFIG_SET_MAX = 256,
    CONFIG_CERT_MAX = 16,
    CONFIG_ORIGIN_MAX = 64,
    CONFIG_HOST_MAX = 64,
    CONFIG_ENV_MAX = 64,
    CONFIG_THREADS_MAX = 64
};

/* Whole numbers are int64_t, in the unit that the option's argument names, and lists are
 * struct config_list: what a row of the table names by its offset has the type that its
 * kind says. */
struct config_list {
    char **at;
    size_t count;
};

struct config_pair {
    char *key, *value;
};

struct config {
    struct config_list listen, cert, key, origin, host, env, http_allow;
    struct config_pair *set;
    size_t set_count;
    struct cidr *trusted;
    size_t trusted_count;
    char *client_ca;
    char *http_ca;
    char *script;
    char *page;      /* NULL: "public" beside the script */
    int64_t threads; /* CONFIG_AUTO: by the number of CPUs */
    bool watch;
    bool trusted_script;
    bool no_deflate;
    int64_t drop_when_slow; /* a bool */
    int64_t log_level;      /* an enum log_level */
    int64_t max_message, max_fragments, max_head, max_body, max_fields, max_queue,
        max_rooms, max_client_rooms;
    int64_t head_time, keep_alive_time, answer_time, ping_interval, ping_timeout,
        close_time;
    int64_t max_connections, max_per_address, max_connect_rate, max_rate, max_byte_rate,
        max_queued;
    int64_t max_json_depth;
    int64_t hsts;
    int64_t deflate_min;
    int64_t handler_time;
    int64_t script_memory;
    int64_t http_max;
};

/* A number whose default config_finish works out. */
#define CONFIG_AUTO (-1)

/* What the value of an option is, and with it the type of its field. */
enum config_kind {
    CONFIG_FLAG,   /* bool: yes, no, true, false, 1, 0, or nothing, which is yes */
    CONFIG_NUMBER, /* int64_t from `least` to `most` */
    CONFIG_BYTES,  /* the same; k or m may stand behind it */
    CONFIG_CHOICE, /* int64_t: which of `words` */
    CONFIG_TEXT,   /* char *: the last one counts */
    CONFIG_TEXTS,  /* struct config_list of at most `most`, each as `check` allows */
    CONFIG_LISTEN, /* the same, but an inherited socket counts once */
    CONFIG_PAIR,   /* set */
    CONFIG_RANGE,  /* trusted */
};

/* A row of the table: parsing, the help and the checks all come from it. */
struct config_option {
    const char *name, *argument; /* NULL: a flag */
    const char *preset;          /* as the help says it; NULL: none */
    const char *help;
    enum config_kind kind;
    size_t offset;       /* in struct config */
    int64_t least, most; /* of the number, or how often it may be given */
    const char *words;   /* of a choice, with a blank between two */
    bool (*check)(const char *value);
    const char *say; /* what to say instead of a value that `check` refuses */
    const char *(*fault)(const char *value); /* instead of both: NULL, or what to say */
};

void config_init(struct config *c);
void config_deinit(struct config *c);

/* Sets option `name` (without dashes) to `value`; a flag's value may be NULL. Returns 0,
 * or -1 with what is wrong and what to say instead in `error`; then nothing has changed.
 */
int config_set(struct config *c, const char *name, const char *value, char *error,
               size_t size);

/* Checks what only makes sense together, and writes to *out what was said with what was
 * not said filled in; `out` borrows from `said` and is not to be deinited. Returns 0 or
 * -1 like config_set. */
int config_finish(const struct config *said, struct config *out, char *error,
                  size_t size);

/* The table, in the order of the help. */
const struct config_option *config_options(size_t *count);

#endif
