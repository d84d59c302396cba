/* uring: MSG_DONTWAIT has the kernel do each send within the submission: what was queued
 * is not used after it, and every send has its completion by then. */
#include "net/uring.h"

#include "net/stream.h"

#ifdef CHARLUA_URING

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>

struct uring {
    struct io_uring uring;
    bool broken;    /* the kernel did not take what was queued: not used any more */
    unsigned count; /* queued */
};

struct uring *uring_new(void)
{
    struct uring *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    if (io_uring_queue_init(URING_SENDS_MAX, &r->uring, 0) == 0)
        return r;
    free(r);
    return NULL;
}

void uring_free(struct uring *r)
{
    if (!r)
        return;
    if (!r->broken)
        io_uring_queue_exit(&r->uring);
    free(r);
}

bool uring_send(struct uring *r, int fd, struct bytes bytes, ssize_t *result)
{
    struct io_uring_sqe *sqe =
        r->broken || r->count == URING_SENDS_MAX ? NULL : io_uring_get_sqe(&r->uring);
    if (!sqe)
        return false;
    io_uring_prep_send(sqe, fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    io_uring_sqe_set_data(sqe, result);
    *result = STREAM_AGAIN; /* if the kernel does not take it */
    r->count++;
    return true;
}

/* Takes what the kernel says of the sends. */
static void reap(struct uring *r)
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

void uring_submit(struct uring *r)
{
    int n = 1;
    for (unsigned done = 0; done < r->count && n > 0; done += n > 0 ? (unsigned)n : 0) {
        do
            n = io_uring_submit(&r->uring);
        while (n == -EINTR);
        reap(r);
    }
    if (n <= 0) { /* what is still queued must not leave later, with other bytes */
        io_uring_queue_exit(&r->uring);
        r->broken = true;
    }
    r->count = 0;
}

#else

struct uring *uring_new(void)
{
    return NULL;
}

void uring_free(struct uring *r)
{
    (void)r;
}

bool uring_send(struct uring *r, int fd, struct bytes bytes, ssize_t *result)
{
    (void)r, (void)fd, (void)bytes, (void)result;
    return false;
}

void uring_submit(struct uring *r)
{
    (void)r;
}

#endif
