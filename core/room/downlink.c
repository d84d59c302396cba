/* downlink: in the order of the mail. Whatever is queued for a peer comes behind what its
 * rooms were told before (broadcast_close_of), so everybody hears everything in the order
 * in which the rules said it. */
#include "room/downlink.h"

#include "wire/close.h"

#include <assert.h>
#include <math.h>

void downlink_deinit(struct downlink *d)
{
    buf_deinit(&d->protocols);
    buf_deinit(&d->routes);
}

static void join(struct downlink *d, struct peer *p, uint64_t room)
{
    if (p->told || broadcast_join(d->broadcast, room, id_slot(p->id)) == 0)
        return;
    /* It would miss what its room is told: better that it comes back. */
    conn_close(&p->conn, WS_CLOSE_INTERNAL, bytes_of("out of memory"));
    writer_touch(d->writer, p);
}

/* Mail that is about one peer: what its rooms were sent before comes first. */
static void carry_to_peer(struct downlink *d, struct peer *p, const struct mail *m)
{
    struct broadcast *b = d->broadcast;
    broadcast_close_of(b, id_slot(p->id));
    if (m->kind == MAIL_SEND) {
        writer_send(d->writer, p, m->frame);
    } else if (m->kind == MAIL_JOIN) {
        join(d, p, m->room);
    } else if (m->kind == MAIL_LEAVE) {
        broadcast_leave(b, m->room, id_slot(p->id));
    } else {
        conn_close(&p->conn, m->code, mail_bytes(m));
        writer_touch(d->writer, p);
    }
}

/* MAIL_RESPONSE: what the rules answer. */
static void respond(struct downlink *d, struct peer *p, const struct mail *m)
{
    struct answer a = {.status = m->status, .type = (const char *)mail_bytes(m).at};
    a.body = bytes_skip(mail_bytes(m), strlen(a.type) + 1);
    a.fields = (const char *)a.body.at;
    a.body = bytes_skip(a.body, strlen(a.fields) + 1);
    a.type = *a.type ? a.type : NULL;
    uplink_answered(d->uplink, p);
    conn_respond(&p->conn, &a);
    writer_touch(d->writer, p);
}

/* Takes over what the rules say of themselves. */
static struct bytes keep_list(const struct downlink *d, struct buf *list,
                              const struct mail *m)
{
    struct buf fresh = {0};
    if (buf_append(&fresh, mail_bytes(m)) == 0) {
        buf_deinit(list);
        *list = fresh;
    } else {
        log_error(d->env->log, "the rules' subprotocols or routes are not taken over, "
                               "the old ones stay: out of memory");
    }
    return buf_bytes(list);
}

/* Ends every WebSocket connection, politely or at once. */
static void drain(struct downlink *d, bool politely)
{
    d->env->is_draining = true;
    d->hurried = !politely;
    broadcast_close_due(d->broadcast, INFINITY);
    for (uint32_t i = 0; i < d->peers->count; i++) {
        struct peer *p = slots_at(d->peers, i);
        if (!p)
            continue;
        writer_touch(d->writer, p);
        conn_give_up_request(&p->conn, !politely);
        if (!p->opened)
            continue;
        conn_close(&p->conn, WS_CLOSE_GOING_AWAY, bytes_of("server stopping"));
        if (!politely)
            conn_abort(&p->conn);
    }
}

void downlink_carry_out(struct downlink *d, const struct mail *m)
{
    struct peer *p = slots_find(d->peers, m->id);
    switch (m->kind) {
    case MAIL_SEND:
    case MAIL_JOIN:
    case MAIL_LEAVE:
    case MAIL_CLOSE:
        if (p)
            carry_to_peer(d, p, m);
        if (m->kind == MAIL_SEND)
            outframe_unref(m->frame);
        break;
    case MAIL_BROADCAST:
        broadcast_send(d->broadcast, m->room, m->id, m->frame);
        outframe_unref(m->frame);
        break;
    case MAIL_ADMIT:
        if (p)
            p->admitted = true;
        break;
    case MAIL_PAUSE:
    case MAIL_RESUME:
        if (p) {
            uplink_pause(p, m->kind == MAIL_PAUSE);
            writer_touch(d->writer, p);
        }
        break;
    case MAIL_PROTOCOLS:
        d->env->protocols = keep_list(d, &d->protocols, m);
        break;
    case MAIL_ROUTES:
        d->env->routes = keep_list(d, &d->routes, m);
        break;
    case MAIL_RESPONSE:
        if (p && p->asked)
            respond(d, p, m);
        break;
    case MAIL_DRAIN:
        drain(d, true);
        break;
    case MAIL_ABORT:
        drain(d, false);
        break;
    case MAIL_ACCEPT:
    case MAIL_OPEN:
    case MAIL_MESSAGE:
    case MAIL_FAULT:
    case MAIL_CLOSED:
    case MAIL_REQUEST:
    case MAIL_GIVEN_UP:
    case MAIL_DRAINED:
    case MAIL_RELOAD:
    case MAIL_POST:
    case MAIL_FETCH:
    case MAIL_FETCH_CANCEL:
    case MAIL_FETCHED:
        assert(false); /* mail for others in a shard's inbox */
    }
}
