/* map: grows at three quarters full; taking out shifts the run back, so there are no
 * tombstones. */
#include "base/map.h"

#include <stdlib.h>

/* splitmix64's finalizer: ids differ in few bits. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

/* The slot of `key`, or the empty one where it belongs. */
static size_t find(const struct map *m, uint64_t key)
{
    size_t i = (size_t)mix(key) & (m->cap - 1);
    while (m->slots[i].value && m->slots[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

static int grow(struct map *m)
{
    struct map bigger = {.cap = m->cap ? m->cap * 2 : 16, .count = m->count};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return -1;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value)
            bigger.slots[find(&bigger, m->slots[i].key)] = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

void map_deinit(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}

void *map_get(const struct map *m, uint64_t key)
{
    return m->cap ? m->slots[find(m, key)].value : NULL;
}

int map_put(struct map *m, uint64_t key, void *value)
{
    if (m->cap) {
        size_t i = find(m, key);
        if (m->slots[i].value) {
            m->slots[i].value = value;
            return 0;
        }
    }
    if ((m->count + 1) * 4 > m->cap * 3 && grow(m) < 0)
        return -1;
    m->slots[find(m, key)] = (struct map_slot){key, value};
    m->count++;
    return 0;
}

void *map_take(struct map *m, uint64_t key)
{
    if (!m->cap)
        return NULL;
    size_t hole = find(m, key);
    void *taken = m->slots[hole].value;
    if (!taken)
        return NULL;
    size_t mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        size_t home = (size_t)mix(m->slots[i].key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){0};
    m->count--;
    return taken;
}

void *map_next(const struct map *m, size_t *at)
{
    while (*at < m->cap) {
        void *value = m->slots[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}
