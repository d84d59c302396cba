/* gate: a visitor an address, forgotten once nobody of it is here and its bucket is full
 * again. */
#include "net/gate.h"

#include "base/map.h"
#include "base/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEP_EVERY = 1024 }; /* entries */

struct visitor {
    uint64_t key;
    uint32_t count;
    struct rate rate;
};

struct gate {
    struct gate_limits limits;
    pthread_mutex_t lock; /* over all below */
    struct map visitors;
    uint32_t count, entries;
};

struct gate *gate_new(const struct gate_limits *limits)
{
    struct gate *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->limits = *limits;
    pthread_mutex_init(&g->lock, NULL);
    return g;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    size_t at = 0;
    for (struct visitor *v; (v = map_next(&g->visitors, &at));)
        free(v);
    map_deinit(&g->visitors);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

/* An IPv4 address, or the first 64 bits of an IPv6 one (what one household gets). */
static uint64_t key_of(const struct addr *addr)
{
    uint64_t key = 0;
    memcpy(&key, addr->ip, addr->family == ADDR_IPV4 ? 4 : 8);
    return addr->family == ADDR_IPV4 ? key : key ^ 0x8000000000000000U;
}

/* Forgets who has gone and would be let in like a stranger. */
static void sweep(struct gate *g, uint64_t now_ms)
{
    size_t at = 0, n = 0;
    uint64_t gone[SWEEP_EVERY];
    for (struct visitor *v; n < SWEEP_EVERY && (v = map_next(&g->visitors, &at));)
        if (v->count == 0 &&
            rate_take(&v->rate, now_ms, (float)g->limits.per_second, 0) == 0 &&
            v->rate.spent == 0)
            gone[n++] = v->key;
    while (n > 0)
        free(map_take(&g->visitors, gone[--n]));
}

static bool is_exempt(const struct gate *g, const struct addr *addr)
{
    return addr->family == ADDR_UNIX ||
           cidr_has(g->limits.trusted, g->limits.trusted_count, addr);
}

static struct visitor *visitor_of(struct gate *g, const struct addr *addr)
{
    uint64_t key = key_of(addr);
    struct visitor *v = map_get(&g->visitors, key);
    if (v)
        return v;
    v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->key = key;
    if (map_put(&g->visitors, key, v) == 0)
        return v;
    free(v);
    return NULL;
}

static enum gate_answer judge(struct gate *g, const struct addr *addr, uint64_t now_ms)
{
    if (g->limits.connections && g->count >= g->limits.connections)
        return GATE_FULL;
    if (is_exempt(g, addr))
        return GATE_OPEN;
    struct visitor *v = visitor_of(g, addr);
    if (!v)
        return GATE_FULL;
    if (g->limits.per_address && v->count >= g->limits.per_address)
        return GATE_ADDRESS_FULL;
    if (rate_take(&v->rate, now_ms, (float)g->limits.per_second, 1) > 0) {
        v->rate.spent -= 1; /* who was refused has used nothing up */
        return GATE_TOO_FAST;
    }
    v->count++;
    return GATE_OPEN;
}

enum gate_answer gate_enter(struct gate *g, const struct addr *addr, uint64_t now_ms)
{
    pthread_mutex_lock(&g->lock);
    if (++g->entries % SWEEP_EVERY == 0)
        sweep(g, now_ms);
    enum gate_answer answer = judge(g, addr, now_ms);
    if (answer == GATE_OPEN)
        g->count++;
    pthread_mutex_unlock(&g->lock);
    return answer;
}

static void leave(struct gate *g, const struct addr *addr)
{
    struct visitor *v = is_exempt(g, addr) ? NULL : map_get(&g->visitors, key_of(addr));
    if (v && v->count)
        v->count--;
    g->count--;
}

void gate_leave(struct gate *g, const struct addr *addr)
{
    pthread_mutex_lock(&g->lock);
    leave(g, addr);
    pthread_mutex_unlock(&g->lock);
}

enum gate_answer gate_change(struct gate *g, const struct addr *from,
                             const struct addr *to, uint64_t now_ms)
{
    pthread_mutex_lock(&g->lock);
    g->count--; /* its own place is free for it */
    enum gate_answer answer = judge(g, to, now_ms);
    g->count++;
    if (answer == GATE_OPEN) {
        leave(g, from);
        g->count++;
    }
    pthread_mutex_unlock(&g->lock);
    return answer;
}

enum limit gate_limit(enum gate_answer answer)
{
    return answer == GATE_ADDRESS_FULL ? LIMIT_PER_ADDRESS
           : answer == GATE_TOO_FAST   ? LIMIT_CONNECT_RATE
                                       : LIMIT_CONNECTIONS;
}
