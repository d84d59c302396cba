/* uplink: mail from a shard to the host: what its peers ask and say, and that they have
 * gone, collected in a batch and posted once a turn, or earlier when the batch is large.
 * Does not know: sockets, rooms, what the host does with it. Thread: its shard's. Owner:
 * the shard, which embeds it. */
#ifndef CHARLUA_ROOM_UPLINK_H
#define CHARLUA_ROOM_UPLINK_H

#include "base/mailbox.h"
#include "room/peer.h"

struct uplink {
    struct batch batch;
    struct mailbox *host;
    struct stats *stats;
    uint32_t open; /* peers that opened or asked, and whose end was not told yet */
    bool held;     /* the host's inbox is full: no socket may be read */
    bool drained;  /* MAIL_DRAINED was collected */
};

void uplink_init(struct uplink *u, struct mailbox *host, struct stats *stats);
void uplink_deinit(struct uplink *u);

/* The peer was upgraded; `head` is its request. Returns 0, or -1 when memory is out. */
int uplink_open(struct uplink *u, struct peer *p, struct bytes head,
                struct bytes protocol);

/* The peer asks the rules. Returns 0, or -1 when memory is out. */
int uplink_request(struct uplink *u, struct peer *p, struct bytes head,
                   struct bytes body);

/* What it asked was answered. */
void uplink_answered(struct uplink *u, struct peer *p);

/* The peer says something. Returns 0, or -1 when memory is out. It is closed with 1013
 * when it is paused and the sum that all peers may hold has no room for it. */
int uplink_message(struct uplink *u, struct peer *p, struct bytes data, bool binary);

/* The peer's connection fails: the host answers with MAIL_CLOSE, behind what it answers
 * to the peer's messages. Returns 0, or -1 when memory is out. */
int uplink_fault(struct uplink *u, struct peer *p, uint16_t code, struct bytes reason);

/* The host has enough of the peer's messages for now, or wants them again; in the second
 * case call uplink_catch_up. */
void uplink_pause(struct peer *p, bool paused);

/* Collects what the host was spared, if it wants it now. False: memory is out, the caller
 * tries again. */
bool uplink_catch_up(struct uplink *u, struct peer *p);

/* The peer goes: frees what was kept of it. */
void uplink_forget(struct peer *p);

/* uplink_tell_end for those who have something to tell. */
bool uplink_tell(struct uplink *u, struct peer *p);

/* Catches up. Tells once that nobody waits for the peer's response any more, and once
 * that its connection is over, if that is so. False: memory is out, the caller tries
 * again. */
static inline bool uplink_tell_end(struct uplink *u, struct peer *p)
{
    /* Nearly all have nothing to tell, and this is asked after every write. */
    bool any = p->ahead || p->asked || (p->conn.over && !p->told);
    return !any || uplink_tell(u, p);
}

/* Tells once that the shard has no peer left and takes no more. */
void uplink_tell_drained(struct uplink *u);

/* Posts what was collected. */
void uplink_post(struct uplink *u);

/* Whether sockets may be read, that is, may make mail. Not while the host's inbox is
 * full: then the uplink is held until uplink_release. */
bool uplink_may_read(struct uplink *u);

/* True when it was held and is not any more: reading goes on. */
bool uplink_release(struct uplink *u);

/* Mail stayed behind, since memory was out: it is tried again soon. */
static inline bool uplink_waits(const struct uplink *u)
{
    return u->batch.buf.len > 0;
}

#endif
