/* conn_slow: What waits for a peer has two caps: its own queue's (--max-queue) and the
 * sum of everything that all peers make the server keep (--max-queued). A peer over its
 * own cap reads too slowly. A peer that finds the sum spent may be innocent: thirty
 * others that read nothing hold all of it, and this one has nothing waiting. Closing it
 * would let a few deaf peers end everybody; letting its one message wait, as queues once
 * did, makes the sum a lie (thirty empty queues took 15 MB each under a cap of 4).
 *
 * So the sum is never exceeded, but a peer with an empty queue is served past it: the
 * frame is handed to the socket at once, and nothing waits. Where the socket takes none
 * of it, the peer reads too slowly after all. A frame that was begun can be neither kept
 * nor taken back, so that ends the connection without a Close; what an empty socket takes
 * whole (AT_ONCE_MAX) makes it rare. */
#include "net/conn_slow.h"

enum { AT_ONCE_MAX = 64 * 1024 };

enum send_result conn_send_past(struct conn *c, const struct outframe *f)
{
    struct bytes rest = outframe_bytes(f);
    ssize_t n = STREAM_AGAIN;
    if (c->out.count || rest.len > AT_ONCE_MAX)
        return SEND_FULL;
    while (rest.len) {
        struct iovec iov = {(void *)(uintptr_t)rest.at, rest.len};
        n = c->stream->ops->write(c->stream, &iov, 1);
        if (n < 0)
            break;
        rest = bytes_skip(rest, (size_t)n);
    }
    if (rest.len == 0)
        return SEND_OK;
    if (rest.len == outframe_bytes(f).len && n == STREAM_AGAIN)
        return SEND_FULL;
    if (n == STREAM_AGAIN) {
        conn_reached(c, LIMIT_QUEUED);
        stats_add(&c->env->stats->slow_closed, 1);
    }
    conn_abort(c);
    return SEND_GONE;
}

void conn_too_slow(struct conn *c, const struct outframe *lost)
{
    if (!conn_takes_sends(c))
        return;
    conn_reached(c, (enum limit)c->full);
    stats_add(&c->env->stats->dropped, lost->messages);
    if (c->env->drop_when_slow)
        return;
    stats_add(&c->env->stats->slow_closed, 1);
    outq_drop_unsent(&c->out, c->greeted ? 0 : 1);
    conn_count_held(c);
    conn_fail_now(c, WS_CLOSE_TRY_LATER, bytes_of("too slow"));
}
