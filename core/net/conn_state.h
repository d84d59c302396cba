/* conn_state: what the files of a conn share: its states, the way from one to another,
 * and the bytes that it holds. Does not know: protocols; conn_http, conn_proxy and
 * conn_ws do, conn joins them. Thread: the conn's shard's. Owner: nobody; these are
 * functions on a conn, for conn*.c alone. */
#ifndef CHARLUA_NET_CONN_STATE_H
#define CHARLUA_NET_CONN_STATE_H

#include "net/conn.h"

/* The diagram is in conn_state.c. */
enum conn_state {
    CONN_HEAD,      /* waits for (the rest of) a request's head */
    CONN_BODY,      /* the same for the body of a request for the rules */
    CONN_ASKED,     /* they have it: waits for their scripted response */
    CONN_ANSWERING, /* a plain answer or a scripted response leaves; then the next request
                       or the end */
    CONN_OPEN,      /* WebSocket messages both ways */
    CONN_FAILING,   /* the peer is not read any more, its Close waits for the answers to
                       what it said before */
    CONN_CLOSING,   /* our Close is queued or sent, the peer's has not come */
    CONN_LAST,      /* what is queued leaves, then we end */
    CONN_LINGER,    /* all has left and we said FIN: waits for the peer's, so that nothing
                       is reset */
    CONN_DEAD,
};

/* What a frame in a queue costs beside its bytes: itself and its place in the ring. */
enum { CONN_FRAME_COST = sizeof(struct outframe) + 4 * sizeof(struct outframe *) };

/* Sets the wait; its time begins now. */
void conn_wait_for(struct conn *c, enum conn_wait wait);

/* A request's head is awaited: at once, or (NEXT) for as long as connections are kept. */
void conn_enter_head(struct conn *c, enum conn_wait wait);

/* From HTTP to WebSocket: the one place where c->http ends and c->ws begins. Returns what
 * had come, which is the caller's now. */
struct buf conn_enter_ws(struct conn *c);

/* Everything that is queued leaves, then the connection ends. */
void conn_enter_last(struct conn *c);

/* Remembers the first Close frame, ours or the peer's, for on_close. */
void conn_note_close(struct conn *c, uint16_t code, struct bytes reason);

/* Fails the WebSocket connection (RFC 6455 7.1.7): nothing more is read. Our Close leaves
 * behind what is queued and what the rules still answer, unless it has been said; then
 * the connection ends. */
void conn_fail(struct conn *c, uint16_t code, const char *why);

/* The same without waiting for the rules. The Close has the code and the reason of the
 * fault that was noted first. */
void conn_fail_now(struct conn *c, uint16_t code, struct bytes why);

/* Whether what the rules send may still be queued. */
static inline bool conn_takes_sends(const struct conn *c)
{
    return c->state == CONN_OPEN || c->state == CONN_FAILING;
}

/* Before the upgrade: frees the request or the file that is kept, if any. What it held is
 * the caller's to count. */
void conn_drop_kept(struct conn *c);

/* Frees what its phase owns. */
void conn_free_phase(struct conn *c);

/* What `frames` frames of `bytes` bytes in all cost while they wait for this peer, in
 * memory: a frame that has begun to leave is still there whole, and one that waits as it
 * is while others get it compressed has its twin beside it. */
static inline size_t conn_cost(const struct conn *c, size_t frames, size_t bytes)
{
    return (bytes + frames * CONN_FRAME_COST) << c->has_twins;
}

/* Keeps the sum over all peers true, after anything that the peer makes us keep has
 * changed: what waits for it, its request, and what came in part. */
void conn_count_held(struct conn *c);

/* The same after something came in that is kept. False: the sum does not have room for
 * it, and nothing is counted; the caller drops it. What came in one read is held for a
 * moment all the same, as nobody knows before which part of it has to be kept. */
bool conn_may_hold(struct conn *c);

/* Queues `f` and gives the caller's reference up; NULL, like a full memory, ends the
 * conn. */
void conn_queue_moved(struct conn *c, struct outframe *f);

/* The peer has reached a limit: it is counted and perhaps logged. */
void conn_reached(struct conn *c, enum limit which);

#endif
