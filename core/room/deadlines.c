/* deadlines: The process may have stood still (SIGSTOP, a suspended machine, a host that
 * took its time on the same loop) while a peer did in time what was asked of it. A loop
 * hears of timers before sockets, so judging by the clock alone dropped peers whose pong
 * had been in the socket for seconds.
 *
 * So the clock only says whom to look at. What has come from such a peer is read, and
 * what can leave is written; a peer that is then in another wait was in time, and one
 * that is still in the same wait is late. This costs two system calls for each deadline
 * that is reached, not for each that is set. It is bounded (READS_TO_JUDGE): a peer that
 * sends without end does not put its deadline off.
 *
 * While the host's inbox is full nobody may be read, so nobody can be late with what is
 * read: those waits go on until it has room. The rules' own time to respond can't be read
 * off a socket, so nothing is: a host that is stuck with a full inbox is what it is a
 * limit on. When the loop stood still it begins again, since the rules stood still, too.
 */
#include "room/deadlines.h"

#include <poll.h>

enum { READS_TO_JUDGE = 128 }; /* more than a socket holds */

/* A deadline that is noticed so much later: the loop stood still. */
static const double LATE_SECONDS = 0.5;

/* Whether who waits so can be late now: not for what comes while no socket may be read.
 */
static bool may_judge(const struct deadlines *d, enum conn_wait kind)
{
    switch (kind) {
    case CONN_WAIT_HEAD:
    case CONN_WAIT_NEXT:
    case CONN_WAIT_PONG:
    case CONN_WAIT_CLOSE:
        return !d->uplink->held;
    case CONN_WAIT_RESPONSE:
    case CONN_WAIT_ANSWERED:
    case CONN_WAIT_PING:
    case CONN_WAIT_KINDS:
        break;
    }
    return true;
}

/* Whether bytes that have come wait to be read. */
static bool has_unread(const struct peer *p)
{
    struct pollfd f = {.fd = conn_stream(&p->conn)->fd, .events = POLLIN};
    return poll(&f, 1, 0) > 0;
}

/* Reads what has come. False: not all of it may be read now. */
static bool read_all(struct deadlines *d, struct peer *p)
{
    for (int i = 0; i < READS_TO_JUDGE && conn_wants_read(&p->conn); i++) {
        if (!uplink_may_read(d->uplink))
            return false;
        if (!conn_read(&p->conn, d->scratch, d->scratch_size) && !has_unread(p))
            break;
    }
    return true;
}

/* The peer's wait of `kind` is over by the clock. False: whether it is late can't be told
 * now. */
static bool judge(struct deadlines *d, struct peer *p, enum conn_wait kind, double now)
{
    bool restarted, was_late = now - p->deadline > LATE_SECONDS;
    bool is_ours = kind == CONN_WAIT_PING || kind == CONN_WAIT_RESPONSE;
    if (!is_ours && !read_all(d, p))
        return false;
    conn_flush(&p->conn);
    waits_end(p);
    kind = conn_wait(&p->conn, &restarted);
    if (restarted || (kind == CONN_WAIT_RESPONSE && was_late))
        waits_begin(&d->waits, p, kind, now);
    else
        conn_timeout(&p->conn);
    writer_touch(d->writer, p);
    return true;
}

double deadlines_first(const struct deadlines *d)
{
    double first = 0;
    for (enum conn_wait i = 0; i < CONN_WAIT_KINDS; i++) {
        double next = waits_first(&d->waits, i);
        if (next != 0 && (first == 0 || next < first) && may_judge(d, i))
            first = next;
    }
    return first;
}

void deadlines_judge(struct deadlines *d, double now)
{
    for (enum conn_wait i = 0; i < CONN_WAIT_KINDS; i++)
        for (struct peer *p; may_judge(d, i) && (p = waits_over(&d->waits, i, now));)
            if (!judge(d, p, i, now))
                break;
}
