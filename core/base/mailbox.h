/* mailbox: batches of mail from many threads to one actor; one lock and at most one
 * wake-up a batch. Does not know: what the mail says, or how its owner is woken (a
 * function does that). Thread: post and is_full from any; take from the owner's only. A
 * batch belongs to one thread. Owner: the actor that reads it. The cap is a brake, not a
 * wall: post always takes what it can hold in memory, and writers stop making more while
 * is_full says so. */
#ifndef CHARLUA_BASE_MAILBOX_H
#define CHARLUA_BASE_MAILBOX_H

#include "base/buf.h"
#include "base/mail.h"

#include <pthread.h>
#include <stdatomic.h>

/* Mail in the order in which it was added; a zeroed struct is an empty batch. */
struct batch {
    struct buf buf;
    size_t weight; /* bytes that the mail refers to (frames), for the mailbox's cap */
};

/* Adds `m` and `bytes` after it. Returns 0, or -1 when memory is out (unchanged). */
int batch_add(struct batch *b, const struct mail *m, struct bytes bytes);

/* Walks: start with *at = 0; NULL at the end. Valid while the batch is unchanged. */
struct mail *batch_next(const struct batch *b, size_t *at);

struct mailbox {
    pthread_mutex_t lock;
    struct batch mail;       /* under the lock */
    atomic_size_t size;      /* bytes waiting */
    atomic_bool held;        /* a writer saw it full since the last take */
    size_t cap;              /* bytes */
    void (*wake)(void *);    /* mail arrived in an empty box; any thread */
    void (*drained)(void *); /* taken after a writer was held; the owner's thread */
    void *ctx;
};

void mailbox_init(struct mailbox *m, size_t cap, void (*wake)(void *),
                  void (*drained)(void *), void *ctx);
void mailbox_deinit(struct mailbox *m);

/* Moves all of `b` in and leaves it empty. Returns 0, or -1 when memory is out: then `b`
 * keeps its mail. */
int mailbox_post(struct mailbox *m, struct batch *b);

/* Swaps the waiting mail into `out`, which must be empty; its memory is kept for reuse.
 */
void mailbox_take(struct mailbox *m, struct batch *out);

/* True at or over the cap; `drained` will be called after the next take. */
bool mailbox_is_full(struct mailbox *m);

static inline bool mailbox_is_empty(const struct mailbox *m)
{
    return atomic_load_explicit(&m->size, memory_order_acquire) == 0;
}

#endif
