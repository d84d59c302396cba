/* writer: plain sockets are left to the ring, which sends for all of them at once;
 * whatever it can't take is written by the conn itself. */
#include "room/writer.h"

#include "base/clock.h"

void writer_init(struct writer *w, struct stats *stats, void (*settle)(struct peer *))
{
    *w = (struct writer){.stats = stats, .settle = settle};
    list_init(&w->dirty);
    w->ring = uring_new();
}

void writer_deinit(struct writer *w)
{
    uring_free(w->ring);
}

void writer_send(struct writer *w, struct peer *p, struct outframe *f)
{
    enum send_result result = conn_send(&p->conn, f);
    if (result == SEND_FULL && !list_is_empty(&p->dirty)) {
        /* Much at once is not slow: what the socket takes of this turn's leaves first. */
        conn_flush(&p->conn);
        result = conn_send(&p->conn, f);
    }
    if (result == SEND_OK)
        stats_add(&w->stats->messages_out, f->messages);
    else if (result == SEND_FULL)
        conn_too_slow(&p->conn, f);
    writer_touch(w, p);
}

/* Leaves the peer's write to the ring. False: it has to write for itself. */
static bool write_later(struct writer *w, struct peer *p)
{
    struct bytes piece = w->ring ? conn_piece(&p->conn) : (struct bytes){0};
    if (!piece.len || !uring_send(w->ring, conn_stream(&p->conn)->fd, piece,
                                  &w->writing[w->writing_count].result))
        return false;
    w->writing[w->writing_count++].peer = p;
    return true;
}

static void finish_writing(struct writer *w)
{
    if (w->writing_count)
        uring_submit(w->ring);
    for (uint32_t i = 0; i < w->writing_count; i++) {
        conn_wrote(&w->writing[i].peer->conn, w->writing[i].result);
        w->settle(w->writing[i].peer);
    }
    w->writing_count = 0;
}

void writer_run(struct writer *w)
{
    struct list now = w->dirty;
    uint32_t count = 0;
    if (list_is_empty(&w->dirty))
        return;
    double began = clock_now();
    now.next->prev = now.prev->next = &now;
    list_init(&w->dirty);
    for (; !list_is_empty(&now); count++) {
        struct peer *p = LIST_ENTRY(now.next, struct peer, dirty);
        list_remove(&p->dirty);
        if (write_later(w, p)) {
            if (w->writing_count == URING_SENDS_MAX)
                finish_writing(w);
            continue;
        }
        conn_flush(&p->conn);
        w->settle(p);
    }
    finish_writing(w);
    pace_measure(&w->pace, clock_now() - began, count);
}
