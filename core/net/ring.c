/* ring: MSG_DONTWAIT has the kernel do each send within the submission, so nothing that
 * was queued is used after it. MSG_WAITALL makes a short send a failure, and failures are
 * the only completions that IOSQE_CQE_SKIP_SUCCESS leaves: no completion means that all
 * bytes have left. */
#include "net/ring.h"

#include "net/stream.h"

#ifdef CHARLUA_URING

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>

struct ring {
    struct io_uring uring;
    bool broken; /* the kernel did not take what was queued: not used any more */
    ssize_t *results[RING_SENDS_MAX];
    unsigned count;
};

struct ring *ring_new(void)
{
    struct ring *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    if (io_uring_queue_init(RING_SENDS_MAX, &r->uring, 0) < 0) {
        free(r);
        return NULL;
    }
    if (r->uring.features & IORING_FEAT_CQE_SKIP)
        return r;
    ring_free(r);
    return NULL;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    if (!r->broken)
        io_uring_queue_exit(&r->uring);
    free(r);
}

bool ring_send(struct ring *r, int fd, struct bytes bytes, ssize_t *result)
{
    struct io_uring_sqe *sqe =
        r->broken || r->count == RING_SENDS_MAX ? NULL : io_uring_get_sqe(&r->uring);
    if (!sqe)
        return false;
    io_uring_prep_send(sqe, fd, bytes.at, bytes.len,
                       MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data(sqe, result);
    *result = (ssize_t)bytes.len;
    r->results[r->count++] = result;
    return true;
}

/* Takes what the kernel has to say of sends that did not leave whole. */
static void reap(struct ring *r)
{
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;
    io_uring_for_each_cqe(&r->uring, head, cqe)
    {
        ssize_t *result = io_uring_cqe_get_data(cqe);
        *result = cqe->res >= 0                               ? cqe->res
                  : cqe->res == -EAGAIN || cqe->res == -EINTR ? STREAM_AGAIN
                                                              : STREAM_ERROR;
        n++;
    }
    io_uring_cq_advance(&r->uring, n);
}

void ring_submit(struct ring *r)
{
    unsigned done = 0;
    while (done < r->count) {
        int n = io_uring_submit(&r->uring);
        reap(r);
        if (n > 0)
            done += (unsigned)n;
        else if (n != -EINTR && n != -EBUSY && n != -EAGAIN)
            break;
    }
    if (done <
        r->count) { /* what is still queued must not leave later, with other bytes */
        io_uring_queue_exit(&r->uring);
        r->broken = true;
        for (; done < r->count; done++)
            *r->results[done] = STREAM_AGAIN;
    }
    r->count = 0;
}

#else

struct ring *ring_new(void)
{
    return NULL;
}

void ring_free(struct ring *r)
{
    (void)r;
}

bool ring_send(struct ring *r, int fd, struct bytes bytes, ssize_t *result)
{
    (void)r, (void)fd, (void)bytes, (void)result;
    return false;
}

void ring_submit(struct ring *r)
{
    (void)r;
}

#endif
