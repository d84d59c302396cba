/* quota: one sum of bytes that many threads draw on: it holds exactly, and costs an
 * atomic operation only now and then, since each thread borrows from it in pieces. Does
 * not know: what the bytes are, or what to do when they are spent. Thread: the sum is
 * anyone's, a share belongs to one. Owner: the server has the sum, each of its shards
 * embeds one share. */
#ifndef CHARLUA_BASE_QUOTA_H
#define CHARLUA_BASE_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quota {
    _Atomic int64_t left; /* not borrowed; below 0: overdrawn by that much */
    int64_t piece;        /* what a share borrows at a time, and may keep unused */
};

/* One thread's part; a zeroed one with its `sum` set has borrowed nothing. */
struct quota_share {
    struct quota *sum;
    int64_t used; /* taken and not given back */
    int64_t free; /* borrowed and not taken; below 0: overdrawn */
};

/* `max` bytes for `shares` shares. */
void quota_init(struct quota *q, size_t max, uint32_t shares);

/* What the functions below do when the share alone can't: borrow for `n` more bytes; pay
 * what is overdrawn; give the sum back what is too much to keep. */
bool quota_borrow(struct quota_share *s, size_t n);
void quota_pay(struct quota_share *s);
void quota_return(struct quota_share *s);

/* Whether `n` more bytes may be taken, now or until this share takes or gives again. */
static inline bool quota_has(struct quota_share *s, size_t n)
{
    return (s->free >= 0 && n <= (uint64_t)s->free) || quota_borrow(s, n);
}

/* Takes `n` bytes, also those that quota_has denies: for the few of a known size that
 * can't be refused, as a Close frame. Others ask first. */
static inline void quota_take(struct quota_share *s, size_t n)
{
    s->used += (int64_t)n;
    s->free -= (int64_t)n;
    if (s->free < 0)
        quota_pay(s);
}

/* Gives `n` bytes back, which were taken. */
static inline void quota_give(struct quota_share *s, size_t n)
{
    s->used -= (int64_t)n;
    s->free += (int64_t)n;
    if (s->used == 0 || s->free > 2 * s->sum->piece)
        quota_return(s);
}

#endif
