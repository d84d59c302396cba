/* waits: which peer's wait is over first, for each kind of wait. Does not know: timers,
 * clocks (times are given, in seconds of a steady clock), what a wait's end means.
 * Thread: its shard's. Owner: the shard, which embeds it. */
#ifndef CHARLUA_ROOM_WAITS_H
#define CHARLUA_ROOM_WAITS_H

#include "room/peer.h"

struct waits {
    struct list kinds[CONN_WAIT_KINDS]; /* peers, in order of their deadlines */
    double seconds[CONN_WAIT_KINDS];
};

/* A wait of each kind lasts `seconds[kind]`. */
void waits_init(struct waits *w, const double seconds[CONN_WAIT_KINDS]);

/* Begins the peer's wait of `kind` at `now`, and ends the one that it had. */
void waits_begin(struct waits *w, struct peer *p, enum conn_wait kind, double now);

/* Ends the peer's wait, if it has one. */
static inline void waits_end(struct peer *p)
{
    list_remove(&p->wait);
}

/* A peer whose wait of `kind` is over at `now`, or NULL. */
struct peer *waits_over(const struct waits *w, enum conn_wait kind, double now);

/* The first deadline of `kind`; 0: nobody waits. */
static inline double waits_first(const struct waits *w, enum conn_wait kind)
{
    const struct list *peers = &w->kinds[kind];
    return list_is_empty(peers) ? 0
                                : LIST_ENTRY(peers->next, struct peer, wait)->deadline;
}

#endif
