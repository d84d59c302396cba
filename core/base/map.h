/* map: 64-bit keys to pointers, open addressing with linear probing.
 * Does not know: what the pointers mean.
 * Thread: the one that owns it.
 * Owner: embedded in its owner; a zeroed struct is an empty map. It never frees the
 * values. */
#ifndef CHARLUA_BASE_MAP_H
#define CHARLUA_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t key;
    void *value; /* NULL: empty */
};

struct map {
    struct map_slot *slots;
    size_t cap; /* 0 or a power of two */
    size_t count;
};

void map_deinit(struct map *m);

/* The value of `key`, or NULL. */
void *map_get(const struct map *m, uint64_t key);

/* Sets `key` to `value` (not NULL). Returns 0, or -1 when memory is out (unchanged). */
int map_put(struct map *m, uint64_t key, void *value);

/* Takes `key` out. Returns what it held, or NULL. */
void *map_take(struct map *m, uint64_t key);

/* Walks the values: start with *at = 0, ends with NULL. The map must not change
 * meanwhile. */
void *map_next(const struct map *m, size_t *at);

#endif
