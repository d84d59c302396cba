/* timers: a binary heap of pointers, each timer knowing its place. */
#include "script/timers.h"

#include <stdlib.h>

static void place(struct timers *t, size_t at, struct timer *timer)
{
    t->heap[at] = timer;
    timer->at = at;
}

static bool before(const struct timer *a, const struct timer *b)
{
    return a->due < b->due || (a->due == b->due && a->id < b->id);
}

/* Moves `timer`, whose slot `at` is free to use, up or down to where it belongs. */
static void sift(struct timers *t, size_t at, struct timer *timer)
{
    while (at > 0 && before(timer, t->heap[(at - 1) / 2])) {
        place(t, at, t->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= t->count)
            break;
        if (child + 1 < t->count && before(t->heap[child + 1], t->heap[child]))
            child++;
        if (!before(t->heap[child], timer))
            break;
        place(t, at, t->heap[child]);
        at = child;
    }
    place(t, at, timer);
}

void timers_deinit(struct timers *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->heap[i]);
    free(t->heap);
    map_deinit(&t->by_id);
    *t = (struct timers){0};
}

struct timer *timers_add(struct timers *t, double due, double period, void *owner)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 16;
        struct timer **heap = realloc(t->heap, cap * sizeof(struct timer *));
        if (!heap)
            return NULL;
        t->heap = heap;
        t->cap = cap;
    }
    struct timer *timer = malloc(sizeof *timer);
    if (!timer)
        return NULL;
    *timer = (struct timer){
        .due = due, .period = period, .id = t->last_id + 1, .owner = owner};
    if (map_put(&t->by_id, timer->id, timer) < 0) {
        free(timer);
        return NULL;
    }
    t->last_id++;
    t->count++;
    sift(t, t->count - 1, timer);
    return timer;
}

struct timer *timers_find(const struct timers *t, uint64_t id)
{
    return map_get(&t->by_id, id);
}

void timers_remove(struct timers *t, struct timer *timer)
{
    size_t at = timer->at;
    struct timer *last = t->heap[--t->count];
    map_take(&t->by_id, timer->id);
    if (last != timer)
        sift(t, at, last);
    free(timer);
}

void timers_move(struct timers *t, struct timer *timer, double due)
{
    timer->due = due;
    sift(t, timer->at, timer);
}

struct timer *timers_first(const struct timers *t)
{
    return t->count ? t->heap[0] : NULL;
}
