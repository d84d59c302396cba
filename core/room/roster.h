/* roster: who is in which room, in order of joining, as the scripts see it; every change
 * since the last commit can be undone. Does not know: Lua, mail, connections, names.
 * Thread: the host's. Owner: the host, which embeds a list in each of its clients and
 * rooms. */
#ifndef CHARLUA_ROOM_ROSTER_H
#define CHARLUA_ROOM_ROSTER_H

#include <stdint.h>

/* A membership is in two lists, its client's and its room's. */
enum roster_side { ROSTER_CLIENT, ROSTER_ROOM, ROSTER_SIDES };

/* The memberships of a client or of a room, in order of joining; zeroed: none. */
struct roster_list {
    uint32_t first; /* its number, or 0 */
    uint32_t count;
};

struct membership {
    struct roster_list *list[ROSTER_SIDES];
    struct {
        uint32_t prev, next; /* a ring */
    } link[ROSTER_SIDES];
};

/* A zeroed struct is an empty roster. */
struct roster {
    struct membership *all; /* by number */
    uint32_t cap, used;     /* the numbers 1 to `used` have been in use */
    uint32_t first_free;    /* a list of those that are not any more */
    uint32_t count;
    struct roster_change *log; /* since the last commit */
    uint32_t log_count, log_cap;
};

/* Ends every membership; lists that had some are not to be used any more. */
void roster_deinit(struct roster *r);

enum roster_result { ROSTER_OK, ROSTER_ALREADY, ROSTER_NO_MEMORY };

/* The number of the membership of `client` in `room`, or 0. */
uint32_t roster_find(const struct roster *r, const struct roster_list *client,
                     const struct roster_list *room);

/* What follows membership `m` in its client's list or in its room's, or 0. */
uint32_t roster_next(const struct roster *r, enum roster_side side, uint32_t m);

/* The list of that side, which tells whose membership it is. */
static inline struct roster_list *roster_list(const struct roster *r,
                                              enum roster_side side, uint32_t m)
{
    return r->all[m].list[side];
}

/* OK, ALREADY (it is there, or for leave: it is not), or NO_MEMORY: nothing changed. */
enum roster_result roster_join(struct roster *r, struct roster_list *client,
                               struct roster_list *room);
enum roster_result roster_leave(struct roster *r, struct roster_list *client,
                                struct roster_list *room);

/* Ends membership `m` for good; nothing may wait for a commit. */
void roster_drop(struct roster *r, uint32_t m);

/* All that happened since the last commit stays. */
void roster_commit(struct roster *r);

/* All that happened since the last commit is undone, to the very order of members. */
void roster_rollback(struct roster *r);

#endif
