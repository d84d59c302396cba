/* quota: The problem: --max-queued is one promise for the whole server, but counting each
 * queued message in one shared counter costs an atomic operation a receiver, which
 * threads would fight over. Divided by the threads beforehand, 4 MB among 12 leaves each
 * with 340 KB: a room of one shard is refused while eleven have nothing waiting.
 *
 * The idea: a share borrows pieces and takes from what it borrowed. 4 MB among 12 shares
 * are pieces of 42 KB: a shard that queues 100 KB borrows three times, and one that has
 * nothing waiting any more gives everything back at once. What a busy shard keeps unused
 * is at most two pieces, so that all others together withhold at most a quarter of the
 * sum from one that asks; and a share that can't have a piece borrows just what it needs,
 * down to the last byte.
 *
 * The sum can't be exceeded by those who ask: what is borrowed has left the sum, and
 * borrowing takes from it only what is there. Taking without asking overdraws, which
 * others feel: the sum is paid back first. */
#include "base/quota.h"

enum { PIECES = 8, PIECE_MAX = 256 * 1024 }; /* pieces a share, when all are equal */

void quota_init(struct quota *q, size_t max, uint32_t shares)
{
    int64_t all = max < INT64_MAX / 2 ? (int64_t)max : INT64_MAX / 2;
    int64_t piece = all / PIECES / (shares ? shares : 1);
    atomic_init(&q->left, all);
    q->piece = piece < PIECE_MAX ? piece : PIECE_MAX;
}

/* Borrows at least `least` bytes and at most a piece more. False: not so many are left.
 */
static bool borrow(struct quota_share *s, int64_t least)
{
    int64_t left = atomic_load_explicit(&s->sum->left, memory_order_relaxed), n;
    do {
        if (left < least)
            return false;
        n = left - least < s->sum->piece ? left : least + s->sum->piece;
    } while (!atomic_compare_exchange_weak_explicit(
        &s->sum->left, &left, left - n, memory_order_relaxed, memory_order_relaxed));
    s->free += n;
    return true;
}

static void give_back(struct quota_share *s, int64_t n)
{
    s->free -= n;
    atomic_fetch_add_explicit(&s->sum->left, n, memory_order_relaxed);
}

bool quota_borrow(struct quota_share *s, size_t n)
{
    return n <= INT64_MAX / 2 && borrow(s, (int64_t)n - s->free);
}

void quota_pay(struct quota_share *s)
{
    if (!borrow(s, -s->free))
        give_back(s, s->free); /* the sum owes it */
}

void quota_return(struct quota_share *s)
{
    give_back(s, s->used == 0 ? s->free : s->free - s->sum->piece);
}
