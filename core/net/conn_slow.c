/* conn_slow: who reads too slowly loses the frame, or the connection with 1013. */
#include "net/conn_slow.h"

bool conn_has_room(struct conn *c, size_t len)
{
    bool over = c->out.bytes + len > c->env->queue_max;
    /* One message always fits an empty queue. */
    if (!c->out.count || (!over && c->env->queued + len <= c->env->queued_max))
        return true;
    c->full = over ? LIMIT_QUEUE : LIMIT_QUEUED;
    return false;
}

void conn_too_slow(struct conn *c, const struct outframe *lost, bool drop)
{
    if (c->state != CONN_OPEN)
        return;
    conn_reached(c, (enum limit)c->full);
    stats_add(&c->env->stats->dropped, lost->messages);
    if (drop)
        return;
    stats_add(&c->env->stats->slow_closed, 1);
    size_t before = conn_held(c);
    outq_drop_unsent(&c->out, c->greeted ? 0 : 1);
    conn_count_held(c, before);
    conn_fail(c, WS_CLOSE_TRY_LATER, "too slow");
}
