/* config: reads values as the table (config_table.c) says, each by its kind; then checks
 * what only makes sense together. Longer than other files: every kind has its reader. */
#include "config.h"

#include "base/nearest.h"
#include "net/listen.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB 1024LL
#define MIB (1024LL * 1024)

/* Where a sentence about what is wrong goes. */
struct complaint {
    char *at;
    size_t size;
};

/* Returns -1, for its caller to return. */
__attribute__((format(printf, 2, 3))) static int complain(const struct complaint *to,
                                                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(to->at, to->size, format, args);
    va_end(args);
    return -1;
}

static void *field_of(struct config *c, const struct config_option *o)
{
    return (char *)c + o->offset;
}

/* The index of the word in `words` that is `value`, or -1. */
static int word_index(const char *words, const char *value)
{
    size_t len = strlen(value);
    for (int i = 0; *words; i++) {
        size_t n = strcspn(words, " ");
        if (n == len && memcmp(words, value, n) == 0)
            return i;
        words += n + (words[n] == ' ');
    }
    return -1;
}

/* Reads digits, and for bytes a k or m behind them, to the end of `text`. Returns the
 * number, or -1. No locale and no sign counts. */
static int64_t parse_number(const char *text, bool bytes)
{
    size_t digits = strspn(text, "0123456789");
    const char *end = text + digits;
    int64_t n = 0;
    if (digits == 0 || digits > 18)
        return -1;
    for (const char *d = text; d < end; d++)
        n = n * 10 + (*d - '0');
    if (bytes && (*end == 'k' || *end == 'm') && n < 1 << 30)
        n *= *end++ == 'k' ? KIB : MIB;
    return *end ? -1 : n;
}

/* Defaults are what the table says: a number whose default is no number is worked out in
 * config_finish. */
void config_init(struct config *c)
{
    size_t count;
    const struct config_option *o = config_options(&count);
    *c = (struct config){0};
    for (; count; count--, o++) {
        if (o->kind == CONFIG_NUMBER || o->kind == CONFIG_BYTES)
            *(int64_t *)field_of(c, o) = parse_number(o->preset, false);
        else if (o->kind == CONFIG_CHOICE)
            *(int64_t *)field_of(c, o) = word_index(o->words, o->preset);
    }
}

static void free_list(struct config_list *list)
{
    while (list->count)
        free(list->at[--list->count]);
    free(list->at);
}

void config_deinit(struct config *c)
{
    size_t count;
    const struct config_option *o = config_options(&count);
    for (; count; count--, o++) {
        if (o->kind == CONFIG_TEXT)
            free(*(char **)field_of(c, o));
        else if (o->kind == CONFIG_TEXTS || o->kind == CONFIG_LISTEN)
            free_list(field_of(c, o));
    }
    for (size_t i = 0; i < c->set_count; i++) {
        free(c->set[i].key);
        free(c->set[i].value);
    }
    free(c->set);
    free(c->trusted);
    *c = (struct config){0};
}

/* --- one value of each kind ---------------------------------------------- */

static int set_flag(bool *flag, const struct config_option *o, const char *value,
                    const struct complaint *error)
{
    int i = word_index("no yes false true 0 1", value ? value : "yes");
    if (i < 0)
        return complain(error, "--%s '%s': say yes or no, or nothing, which is yes",
                        o->name, value);
    *flag = i % 2;
    return 0;
}

static int set_number(int64_t *number, const struct config_option *o, const char *value,
                      const struct complaint *error)
{
    bool bytes = o->kind == CONFIG_BYTES;
    int64_t n = parse_number(value, bytes);
    if (n < o->least || n > o->most)
        return complain(error, "--%s '%s': say a whole number from %lld to %lld%s",
                        o->name, value, (long long)o->least, (long long)o->most,
                        bytes ? ", or with k or m behind it" : "");
    *number = n;
    return 0;
}

/* Says "error, warn, info or debug" for "error warn info debug". */
static void say_words(char *out, size_t size, const char *words)
{
    size_t used = 0;
    for (const char *last = strrchr(words, ' '); *words && used + 5 < size; words++) {
        const char *with = *words != ' ' ? "" : words == last ? " or " : ", ";
        used += (size_t)snprintf(out + used, size - used, "%s%.*s", with, *words != ' ',
                                 words);
    }
}

static int set_choice(int64_t *choice, const struct config_option *o, const char *value,
                      const struct complaint *error)
{
    char all[128] = "";
    int i = word_index(o->words, value);
    if (i < 0) {
        say_words(all, sizeof all, o->words);
        return complain(error, "--%s '%s': say %s", o->name, value, all);
    }
    *choice = i;
    return 0;
}

static int set_text(char **at, const char *value, const struct complaint *error)
{
    char *copy = strdup(value);
    if (!copy)
        return complain(error, "out of memory");
    free(*at);
    *at = copy;
    return 0;
}

/* Makes room for one more of `count` things of `size` bytes at `*array`. */
static int grow(void *array, size_t count, size_t size, const struct config_option *o,
                const char *value, const struct complaint *error)
{
    void **at = array;
    if (count == (size_t)o->most)
        return complain(error, "--%s %s: %zu are the most", o->name, value, count);
    void *more = realloc(*at, (count + 1) * size);
    if (!more)
        return complain(error, "out of memory");
    *at = more;
    return 0;
}

static int add_text(struct config_list *list, const struct config_option *o,
                    const char *value, const struct complaint *error)
{
    const char *say = o->fault                       ? o->fault(value)
                      : o->check && !o->check(value) ? o->say
                                                     : NULL;
    if (say)
        return complain(error, "--%s '%s': say %s", o->name, value, say);
    char *copy = NULL;
    if (set_text(&copy, value, error) < 0)
        return -1;
    if (grow(&list->at, list->count, sizeof *list->at, o, value, error) < 0) {
        free(copy);
        return -1;
    }
    list->at[list->count++] = copy;
    return 0;
}

/* The "fd:N" of a listen specification, or NULL. */
static const char *inherited(const char *spec)
{
    spec += strncmp(spec, "tls:", 4) == 0 ? 4 : 0;
    return strncmp(spec, "fd:", 3) == 0 ? spec : NULL;
}

static int add_listen(struct config_list *list, const struct config_option *o,
                      const char *value, const struct complaint *error)
{
    if (listener_check(value, error->at, error->size) < 0)
        return -1;
    for (size_t i = 0; inherited(value) && i < list->count; i++)
        if (inherited(list->at[i]) &&
            strcmp(inherited(list->at[i]), inherited(value)) == 0)
            return 0; /* systemd hands over what --listen tls:fd:3 has named already */
    return add_text(list, o, value, error);
}

static int add_range(struct config *c, const struct config_option *o, const char *value,
                     const struct complaint *error)
{
    struct cidr range;
    if (cidr_parse(value, &range) < 0)
        return complain(error,
                        "--%s '%s': say an address, a range like 10.0.0.0/8 or unix",
                        o->name, value);
    if (grow(&c->trusted, c->trusted_count, sizeof range, o, value, error) < 0)
        return -1;
    c->trusted[c->trusted_count++] = range;
    return 0;
}

static int add_pair(struct config *c, const struct config_option *o, const char *value,
                    const struct complaint *error)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value)
        return complain(error, "--%s '%s': say KEY=VALUE", o->name, value);
    struct config_pair pair = {strndup(value, (size_t)(equals - value)),
                               strdup(equals + 1)};
    if (pair.key && pair.value &&
        grow(&c->set, c->set_count, sizeof pair, o, value, error) == 0) {
        c->set[c->set_count++] = pair;
        return 0;
    }
    if (!pair.key || !pair.value)
        (void)complain(error, "out of memory");
    free(pair.key);
    free(pair.value);
    return -1;
}

static const struct config_option *find(const char *name)
{
    size_t count;
    const struct config_option *o = config_options(&count);
    for (; count; count--, o++)
        if (strcmp(name, o->name) == 0)
            return o;
    return NULL;
}

static int complain_of_name(const struct complaint *to, const char *name)
{
    struct nearest near = nearest_to(name);
    size_t count;
    const struct config_option *o = config_options(&count);
    for (; count; count--, o++)
        nearest_try(&near, o->name);
    if (near.best)
        return complain(to, "there is no option --%s; did you mean --%s?", name,
                        near.best);
    return complain(to, "there is no option --%s", name);
}

int config_set(struct config *c, const char *name, const char *value, char *error,
               size_t size)
{
    const struct complaint to = {error, size};
    const struct config_option *o = find(name);
    if (!o)
        return complain_of_name(&to, name);
    bool is_text = o->kind == CONFIG_TEXT || o->kind == CONFIG_TEXTS;
    if ((!value && o->kind != CONFIG_FLAG) || (is_text && !*value && !o->check))
        return complain(&to, "--%s needs a value: %s", name, o->argument);
    void *field = field_of(c, o);
    switch (o->kind) {
    case CONFIG_FLAG:
        return set_flag(field, o, value, &to);
    case CONFIG_NUMBER:
    case CONFIG_BYTES:
        return set_number(field, o, value, &to);
    case CONFIG_CHOICE:
        return set_choice(field, o, value, &to);
    case CONFIG_TEXT:
        return set_text(field, value, &to);
    case CONFIG_TEXTS:
        return add_text(field, o, value, &to);
    case CONFIG_LISTEN:
        return add_listen(field, o, value, &to);
    case CONFIG_PAIR:
        return add_pair(c, o, value, &to);
    case CONFIG_RANGE:
        return add_range(c, o, value, &to);
    }
    return -1;
}

/* --- what only makes sense together ---------------------------------------- */

/* An option that there is. */
static const struct config_option *known(const char *name)
{
    const struct config_option *o = find(name);
    assert(o);
    return o;
}

/* What goes through one limit has to fit into another. `small` gives way if it was not
 * said: then it has its default. */
static int fit(struct config *c, const char *small, const char *large,
               const struct complaint *error)
{
    const struct config_option *s = known(small), *l = known(large);
    int64_t *value = field_of(c, s), most = *(int64_t *)field_of(c, l);
    if (*value <= most)
        return 0;
    if (*value != parse_number(s->preset, false))
        return complain(error,
                        "--%s %lld is more than --%s %lld lets through: say --%s %lld or "
                        "more, or less for --%s",
                        small, (long long)*value, large, (long long)most, large,
                        (long long)*value, small);
    *value = most;
    return 0;
}

/* What is for nothing without another option. */
static int check_company(const struct config *c, const struct complaint *error)
{
    bool encrypted = false;
    if (c->cert.count != c->key.count)
        return complain(error, "%zu --cert but %zu --key: they go in pairs",
                        c->cert.count, c->key.count);
    for (size_t i = 0; i < c->listen.count; i++) {
        bool tls = strncmp(c->listen.at[i], "tls:", 4) == 0;
        if (tls && c->cert.count == 0)
            return complain(error, "--listen %s needs --cert FILE and --key FILE",
                            c->listen.at[i]);
        encrypted |= tls;
    }
    if (c->cert.count && !encrypted)
        return complain(error, "--cert %s is for no listener: say --listen tls:ADDR:PORT",
                        c->cert.at[0]);
    if (c->client_ca && !c->cert.count)
        return complain(error,
                        "--client-ca %s needs --cert FILE, --key FILE and --listen "
                        "tls:ADDR:PORT",
                        c->client_ca);
    if (c->no_deflate &&
        c->deflate_min != parse_number(known("deflate-min")->preset, false))
        return complain(error, "--deflate-min %lld is for nothing with --no-deflate",
                        (long long)c->deflate_min);
    if (c->http_ca && !c->http_allow.count)
        return complain(error, "--http-ca %s is for no service: say --http-allow ORIGIN",
                        c->http_ca);
    return 0;
}

static int finish_ping(struct config *c, const struct complaint *error)
{
    if (c->ping_timeout == CONFIG_AUTO)
        c->ping_timeout = c->ping_interval > 20 ? 20 : c->ping_interval * 2 / 3;
    if (c->ping_timeout == 0 || c->ping_timeout >= c->ping_interval)
        return complain(error,
                        "--ping-timeout %lld has to be less than --ping-interval %lld",
                        (long long)c->ping_timeout, (long long)c->ping_interval);
    return 0;
}

int config_finish(const struct config *said, struct config *out, char *error, size_t size)
{
    static char *usual[] = {"127.0.0.1:7272", "127.0.0.1:55151"};
    const struct complaint to = {error, size};
    struct config all = *said, *c = &all;
    if (!c->script)
        return complain(&to, "no script: say which rules to run with --script FILE");
    if (check_company(c, &to) < 0 || finish_ping(c, &to) < 0 ||
        fit(c, "max-message", "max-queued", &to) < 0 ||
        fit(c, "max-body", "max-queued", &to) < 0 ||
        fit(c, "max-queue", "max-queued", &to) < 0)
        return -1;
    if (c->listen.count == 0)
        c->listen = (struct config_list){usual, sizeof usual / sizeof *usual};
    if (c->threads == CONFIG_AUTO) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        c->threads = cpus < 4                    ? 0
                     : cpus > CONFIG_THREADS_MAX ? CONFIG_THREADS_MAX
                                                 : cpus - 1;
    }
    *out = all;
    return 0;
}
