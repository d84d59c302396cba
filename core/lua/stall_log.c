/* stall_log: the host counts what it begins and ends; the thread looks at the count a few
 * times a second, and at its own clock. What is said about a run counts if the count is
 * the same before and after it was read. */
#include "lua/stall_log.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_WORDS = 4, LOOK_MS = 200 };

struct stall_log {
    const struct log *log;
    pthread_t thread;
    pthread_mutex_t lock; /* over `ending` */
    pthread_cond_t end;
    bool ending;
    /* What the host says. */
    _Atomic uint64_t count; /* odd: a handler runs */
    _Atomic uint64_t client;
    _Atomic uint64_t name[NAME_WORDS];
};

/* What the thread knows of the run that it looks at. */
struct look {
    uint64_t count, client;
    char name[NAME_WORDS * 8 + 1];
    double since; /* it was first seen */
    int told;     /* seconds */
};

/* Reads what the host says. Returns the count that it belongs to, or 0 when it changed
 * meanwhile. */
static uint64_t read_run(struct stall_log *w, struct look *l)
{
    uint64_t count = atomic_load_explicit(&w->count, memory_order_acquire);
    l->client = atomic_load_explicit(&w->client, memory_order_acquire);
    for (int i = 0; i < NAME_WORDS; i++) {
        uint64_t word = atomic_load_explicit(&w->name[i], memory_order_acquire);
        memcpy(l->name + (size_t)i * sizeof word, &word, sizeof word);
    }
    l->name[sizeof l->name - 1] = 0;
    return count == atomic_load_explicit(&w->count, memory_order_acquire) ? count : 0;
}

static void look(struct stall_log *w, struct look *l)
{
    struct look next = {.since = clock_now()};
    if (l->told && atomic_load(&w->count) != l->count) {
        int tenths = (int)((next.since - l->since) * 10); /* %f asks the locale */
        log_warn(w->log, "a handler held the server handler=%s client=%llu seconds=%d.%d",
                 l->name, (unsigned long long)l->client, tenths / 10, tenths % 10);
    }
    next.count = read_run(w, &next);
    if (next.count != l->count || next.count % 2 == 0) {
        *l = next;
        return;
    }
    int seconds = (int)(next.since - l->since);
    if (seconds <= l->told)
        return;
    l->told = seconds;
    log_warn(w->log, "a handler holds the server handler=%s client=%llu seconds=%d",
             l->name, (unsigned long long)l->client, seconds);
}

static void *watch(void *arg)
{
    struct stall_log *w = arg;
    struct look l = {0};
    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        uint64_t ns = clock_ns() + LOOK_MS * 1000000UL;
        struct timespec until = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
        pthread_cond_timedwait(&w->end, &w->lock, &until);
        look(w, &l);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are for the threads that were there before. */
static int start(struct stall_log *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? 0 : -1;
}

struct stall_log *stall_log_new(const struct log *log)
{
    pthread_condattr_t monotonic;
    struct stall_log *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->log = log;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->end, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (start(w) == 0)
        return w;
    pthread_cond_destroy(&w->end);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

void stall_log_free(struct stall_log *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->end);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->end);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* Counts on. Only the host writes. */
static void count(struct stall_log *w)
{
    uint64_t n = atomic_load_explicit(&w->count, memory_order_relaxed);
    atomic_store_explicit(&w->count, n + 1, memory_order_release);
}

static void set_name(struct stall_log *w, const char *name)
{
    uint64_t words[NAME_WORDS] = {0};
    memcpy(words, name, strnlen(name, sizeof words));
    for (int i = 0; i < NAME_WORDS; i++)
        atomic_store_explicit(&w->name[i], words[i], memory_order_release);
}

void stall_log_begin(struct stall_log *w, const char *name, uint64_t client)
{
    if (!w)
        return;
    atomic_store_explicit(&w->client, client, memory_order_release);
    set_name(w, name);
    count(w);
}

void stall_log_name(struct stall_log *w, const char *name)
{
    if (!w)
        return;
    count(w);
    set_name(w, name);
    count(w);
}

void stall_log_end(struct stall_log *w)
{
    if (w)
        count(w);
}
