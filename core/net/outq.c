/* outq: a ring of references; one alone, the usual case, needs none. */
#include "net/outq.h"

#include <stdlib.h>

static struct outframe *at(const struct outq *q, uint32_t i)
{
    return q->cap ? q->ring[(q->head + i) & (q->cap - 1)] : q->one;
}

static int grow(struct outq *q)
{
    uint32_t cap = q->cap ? q->cap * 2 : 4;
    if (cap > 1U << 28)
        return -1;
    struct outframe **ring = malloc(cap * sizeof(struct outframe *));
    if (!ring)
        return -1;
    for (uint32_t i = 0; i < q->count; i++)
        ring[i] = at(q, i);
    if (q->cap)
        free(q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
    return 0;
}

void outq_deinit(struct outq *q)
{
    for (uint32_t i = 0; i < q->count; i++)
        outframe_unref(at(q, i));
    if (q->cap)
        free(q->ring);
    *q = (struct outq){0};
}

int outq_push(struct outq *q, struct outframe *f)
{
    if (outframe_bytes(f).len > UINT32_MAX - q->bytes)
        return -1;
    bool alone = q->count == 0 && q->cap == 0;
    if (!alone && q->count >= q->cap && grow(q) < 0)
        return -1;
    *(alone ? &q->one : &q->ring[(q->head + q->count) & (q->cap - 1)]) = outframe_ref(f);
    q->count++;
    q->bytes += (uint32_t)outframe_bytes(f).len;
    return 0;
}

int outq_iov(const struct outq *q, struct iovec *iov, int max)
{
    int n = 0;
    for (uint32_t i = 0; i < q->count && n < max; i++) {
        struct bytes b = bytes_skip(outframe_bytes(at(q, i)), i == 0 ? q->sent : 0);
        iov[n++] = (struct iovec){(void *)(uintptr_t)b.at, b.len};
    }
    return n;
}

struct bytes outq_piece(const struct outq *q)
{
    return q->count == 1 ? bytes_skip(outframe_bytes(at(q, 0)), q->sent)
                         : (struct bytes){0};
}

void outq_advance(struct outq *q, size_t n)
{
    q->bytes -= (uint32_t)n;
    q->sent += (uint32_t)n;
    while (q->count && q->sent >= outframe_bytes(at(q, 0)).len) {
        q->sent -= (uint32_t)outframe_bytes(at(q, 0)).len;
        outframe_unref(at(q, 0));
        q->head = q->cap ? (q->head + 1) & (q->cap - 1) : 0;
        q->count--;
    }
    if (q->count == 0)
        outq_deinit(q);
}

void outq_drop_unsent(struct outq *q, uint32_t keep)
{
    keep = q->sent > 0 && keep == 0 ? 1 : keep;
    while (q->count > keep) {
        struct outframe *last = at(q, --q->count);
        q->bytes -= (uint32_t)outframe_bytes(last).len;
        outframe_unref(last);
    }
    if (q->count == 0)
        outq_deinit(q);
}
