/* ref: a reference count that threads may share.
 * Does not know: what is counted, or how it is freed.
 * Thread: any.
 * Owner: embedded in what it counts. */
#ifndef CHARLUA_BASE_REF_H
#define CHARLUA_BASE_REF_H

#include <stdatomic.h>
#include <stdbool.h>

struct ref {
    atomic_uint count;
};

static inline void ref_init(struct ref *r)
{
    atomic_init(&r->count, 1);
}

static inline void ref_take(struct ref *r)
{
    atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}

/* True when this was the last reference: the caller frees. */
static inline bool ref_drop(struct ref *r)
{
    return atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1;
}

#endif
