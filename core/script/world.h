/* world: the clients and rooms that scripts see, and what a handler does to them: staged
 * as mail to the shards until the handler's commit or rollback. Does not know: Lua;
 * api_*.c and host.c translate. Thread: the host's. Owner: the host, which embeds it. */
#ifndef CHARLUA_SCRIPT_WORLD_H
#define CHARLUA_SCRIPT_WORLD_H

#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "room/roster.h"

struct outframe;
struct task;

enum {
    ROOM_NAME_MAX = 128,
    STAGED_MAX_BYTES = 64 * 1024 * 1024, /* of frames that one handler may send */
    CLOSING_MAX = 10000, /* clients whose on_close waits; that of others may not */
};

/* A client's life, as the rules see it.
 *
 *   MAIL_OPEN               on_open lets it in               MAIL_CLOSED
 *  -----------> ARRIVING ------------------------> OPEN ---------------------+
 *                 |   |                                                      |
 *                 |   |  MAIL_CLOSED, while on_open waits                    v
 *                 |   +--------------------------------------------------> CLOSING
 *                 |                                                          |
 *                 |  on_open refuses                          on_close ends  |
 *                 +------------------------------------------------------> GONE
 *
 * A client that was refused is GONE, and keeps its slot until its MAIL_CLOSED. With
 * MAIL_CLOSED a slot is its shard's again, which may give it to the next client at once.
 * So a client that is CLOSING is known by its id alone, however long its on_close waits.
 */
enum client_life { CLIENT_ARRIVING, CLIENT_OPEN, CLIENT_CLOSING, CLIENT_GONE };

struct world_limits {
    uint32_t rooms; /* in all */
    uint32_t rooms_per_client;
};

/* What few clients have. */
struct client_extras {
    struct client *client; /* whose it is */
    char *protocol;        /* chosen at the upgrade, or NULL */
    struct batch pending;  /* its mail while its handler waits */
    size_t pending_at;     /* bytes of it that are done */
    size_t fault_at;       /* where its MAIL_FAULT is in it; 0: nowhere */
    struct list ready;     /* in the host's list of those whose mail goes on */
};

struct client {
    uint64_t id;
    struct addr addr;
    uint32_t object : 27; /* reference of its Lua object in KEY_CLIENTS; 0: none yet */
    uint32_t life : 2;    /* enum client_life */
    uint32_t secure : 1;
    uint32_t paused : 1;     /* MAIL_PAUSE was posted */
    uint32_t owed_close : 1; /* memory was too short to tell it something: to be closed */
    struct roster_list roster;    /* its rooms */
    struct task *task;            /* of its handler that waits, or NULL */
    struct client_extras *extras; /* NULL: none */
};

struct room {
    uint64_t id;
    struct roster_list roster; /* its members */
    struct room *next;         /* with the same hash of the name */
    struct list check;         /* to be looked at when the handler ends */
    uint64_t hash;
    uint32_t len;
    char name[];
};

struct world {
    struct client **clients; /* by shard and slot; NULL: none, or it is closing */
    uint32_t client_cap;
    uint32_t client_count;    /* closing ones, too */
    struct map closing;       /* by id */
    struct client *hasty;     /* it is closing, but may not wait, for the map is full */
    struct map rooms;         /* by id */
    struct map rooms_by_hash; /* of the name */
    struct roster roster;
    struct list check;      /* rooms that may have become empty */
    struct mailbox *shards; /* their inboxes, by index */
    struct batch *out;      /* by shard */
    size_t *committed;      /* by shard: bytes of `out` that stay */
    uint32_t shard_count;
    struct world_limits limits;
    uint64_t last_room;
    size_t staged; /* bytes of frames staged since the last commit */
    bool failed;   /* something could not be staged: the handler has to fail */
    uint64_t seed; /* of the names' hash */
    void (*on_room_gone)(void *ctx, struct room *room);
    void *ctx;
};

enum world_result { WORLD_OK, WORLD_ALREADY, WORLD_FULL, WORLD_NO_MEMORY };

/* `shards` are the inboxes that it posts to; they outlive it. Returns 0, or -1 when
 * memory is out. */
int world_init(struct world *w, struct mailbox *shards, uint32_t count,
               const struct world_limits *limits);
void world_deinit(struct world *w);

/* A client that has come. NULL when memory is out. */
struct client *world_add_client(struct world *w, uint64_t id);
/* The client of that id, as long as it is not gone: also while it is closing. */
struct client *world_client(const struct world *w, uint64_t id);
/* Its MAIL_CLOSED has come: from now on it is closing, and its slot is free. Whoever says
 * so removes it before anything else happens, unless world_may_wait. */
void world_close_client(struct world *w, struct client *c);
/* Whether a handler of `c` may wait: not of a closing one of which there are too many. */
static inline bool world_may_wait(const struct world *w, const struct client *c)
{
    return c != w->hasty;
}
/* Whether it is arriving or open: what is sent to it may be heard. */
static inline bool client_is_here(const struct client *c)
{
    return c->life <= CLIENT_OPEN;
}
/* Walks the clients that are not closing: start with *at = 0, ends with NULL. */
struct client *world_next_client(const struct world *w, uint32_t *at);
/* Where such a walk goes on behind the client `id`, there or gone. */
uint32_t world_walk_after(const struct world *w, uint64_t id);
/* What it has beside; made when it has none. NULL when memory is out. */
struct client_extras *client_extras(struct client *c);
/* It is gone: takes it out of its rooms and frees it; to be committed like all else. */
void world_remove_client(struct world *w, struct client *c);

/* The room of that name, or NULL. */
struct room *world_room(const struct world *w, struct bytes name);
/* The same, made if need be: it lives as long as somebody is in it, an empty one until
 * the handler ends. FULL, NO_MEMORY: no room. */
enum world_result world_make_room(struct world *w, struct bytes name, struct room **out);

/* Whose membership (a number of the roster's) it is, and in which room. */
struct client *world_member(const struct world *w, uint32_t membership);
struct room *world_room_of(const struct world *w, uint32_t membership);

/* The staged effects; all but NO_MEMORY and FULL (join only) are success. What comes to a
 * client that is gone is dropped. Frames are borrowed. */
enum world_result world_send(struct world *w, uint64_t client, struct outframe *f);
/* To the members of `room` (NULL: to everybody) but for `except` (0: nobody). */
enum world_result world_broadcast(struct world *w, const struct room *room,
                                  uint64_t except, struct outframe *f);
/* `client` has been let in by the rules: from now on it hears what goes to everybody. */
enum world_result world_admit(struct world *w, uint64_t client);
enum world_result world_join(struct world *w, struct client *c, struct room *room);
enum world_result world_leave(struct world *w, struct client *c, struct room *room);
enum world_result world_close(struct world *w, uint64_t client, uint16_t code,
                              struct bytes reason);
/* Tells every shard which subprotocols the rules speak, each behind a comma. */
enum world_result world_protocols(struct world *w, struct bytes names);
/* Tells every shard to close everyone and to end. */
enum world_result world_drain(struct world *w);
/* The same for what the rules answer, as wire/routes.h has it. */
enum world_result world_routes(struct world *w, struct bytes routes);
/* Answers the request of connection `id` with what MAIL_RESPONSE carries. */
enum world_result world_respond(struct world *w, uint64_t id, int status,
                                struct bytes response);
enum world_result world_pause(struct world *w, struct client *c, bool paused);

/* All that was staged stays; then rooms without members go. */
void world_commit(struct world *w);
/* All that was staged since the last commit is undone. */
void world_rollback(struct world *w);

/* Posts what is committed to the shards. Nothing may be staged. */
void world_post(struct world *w);

/* Mail waits here for memory to be posted with. */
bool world_is_unposted(const struct world *w);

/* Some shard has more mail waiting than it should: make no more. */
bool world_is_full(struct world *w);

#endif
