/* roster: who is in which room, in order of joining, as the scripts see it; every change
 * since the last commit can be undone. Does not know: Lua, mail, connections: clients are
 * ids, rooms are ids. Thread: the host's. Owner: the host, which embeds the client and
 * room parts in its own structs. */
#ifndef CHARLUA_ROOM_ROSTER_H
#define CHARLUA_ROOM_ROSTER_H

#include "base/list.h"

#include <stdint.h>

struct roster_client {
    struct list rooms; /* of its memberships */
    uint32_t count;
};

struct roster_room {
    struct list members; /* of its memberships, in order of joining */
    uint32_t size;
};

struct membership {
    struct list in_room, in_client;
    struct roster_client *client;
    struct roster_room *room;
};

struct roster {
    struct roster_change *log; /* since the last commit */
    uint32_t log_count, log_cap;
};

void roster_client_init(struct roster_client *c);
void roster_room_init(struct roster_room *r);
void roster_deinit(struct roster *r);

enum roster_result { ROSTER_OK, ROSTER_ALREADY, ROSTER_NO_MEMORY };

/* The membership of `client` in `room`, or NULL. */
struct membership *roster_find(const struct roster_client *client,
                               const struct roster_room *room);

/* OK, ALREADY (it is there, or for leave: it is not), or NO_MEMORY: nothing changed. */
enum roster_result roster_join(struct roster *, struct roster_client *,
                               struct roster_room *);
enum roster_result roster_leave(struct roster *, struct roster_client *,
                                struct roster_room *);

/* Frees a membership for good; nothing may wait for a commit. */
void roster_drop(struct membership *m);

/* All that happened since the last commit stays. */
void roster_commit(struct roster *r);

/* All that happened since the last commit is undone, to the very order of members. */
void roster_rollback(struct roster *r);

#endif
