/* mailbox: records are padded to 8 bytes, so that a batch is one run of memory. */
#include "base/mailbox.h"

enum { KEEP_BYTES = 64 * 1024 }; /* an emptied batch keeps at most this much memory */

static size_t padded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

int batch_add(struct batch *b, const struct mail *m, struct bytes bytes)
{
    if (bytes.len > UINT32_MAX || buf_reserve(&b->buf, sizeof *m + padded(bytes.len)) < 0)
        return -1;
    struct mail copy = *m;
    copy.len = (uint32_t)bytes.len;
    memcpy(b->buf.at + b->buf.len, &copy, sizeof copy);
    if (bytes.len)
        memcpy(b->buf.at + b->buf.len + sizeof copy, bytes.at, bytes.len);
    b->buf.len += sizeof copy + padded(bytes.len);
    return 0;
}

struct mail *batch_next(const struct batch *b, size_t *at)
{
    if (*at >= b->buf.len)
        return NULL;
    struct mail *m = (struct mail *)(void *)(b->buf.at + *at);
    *at += sizeof *m + padded(m->len);
    return m;
}

void mailbox_init(struct mailbox *m, size_t cap, void (*wake)(void *),
                  void (*drained)(void *), void *ctx)
{
    *m = (struct mailbox){.cap = cap, .wake = wake, .drained = drained, .ctx = ctx};
    pthread_mutex_init(&m->lock, NULL);
}

void mailbox_deinit(struct mailbox *m)
{
    pthread_mutex_destroy(&m->lock);
    buf_deinit(&m->mail.buf);
}

int mailbox_post(struct mailbox *m, struct batch *b)
{
    if (b->buf.len == 0)
        return 0;
    pthread_mutex_lock(&m->lock);
    bool was_empty = m->mail.buf.len == 0;
    int result = 0;
    if (was_empty) {
        struct batch swap = m->mail;
        m->mail = *b;
        *b = swap;
    } else {
        result = buf_append(&m->mail.buf, buf_bytes(&b->buf));
        if (result == 0) {
            m->mail.weight += b->weight;
            b->buf.len = 0;
        }
    }
    atomic_store_explicit(&m->size, m->mail.buf.len + m->mail.weight,
                          memory_order_release);
    pthread_mutex_unlock(&m->lock);
    if (b->buf.len == 0)
        b->weight = 0;
    if (b->buf.len == 0 && b->buf.cap > KEEP_BYTES)
        buf_deinit(&b->buf);
    if (was_empty)
        m->wake(m->ctx);
    return result;
}

void mailbox_take(struct mailbox *m, struct batch *out)
{
    out->buf.len = 0;
    out->weight = 0;
    if (out->buf.cap > KEEP_BYTES)
        buf_deinit(&out->buf);
    pthread_mutex_lock(&m->lock);
    struct batch swap = m->mail;
    m->mail = *out;
    *out = swap;
    atomic_store(&m->size, 0); /* in one order with `held`, as is_full relies on */
    pthread_mutex_unlock(&m->lock);
    if (atomic_exchange(&m->held, false))
        m->drained(m->ctx);
}

bool mailbox_is_full(struct mailbox *m)
{
    if (atomic_load_explicit(&m->size, memory_order_acquire) < m->cap)
        return false;
    atomic_store(&m->held, true);
    /* A take between the two loads would have found nobody held. */
    return atomic_load(&m->size) >= m->cap;
}
