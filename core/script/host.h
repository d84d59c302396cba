/* host: the one Lua world: drains its mail and runs the script's handlers, one at a time,
 * as transactions. Does not know: loops, sockets, threads; whoever places it calls
 * host_turn and looks at host_next. Thread: one, but for its inbox, to which anyone
 * posts. Owner: the server. */
#ifndef CHARLUA_SCRIPT_HOST_H
#define CHARLUA_SCRIPT_HOST_H

#include "base/bytes.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/quota.h"
#include "base/stats.h"

struct host;
struct lua_State;
struct stall_log;

struct host_option {
    const char *key, *value;
};

/* A C function of the embedding program: scripts call it as chat.native.NAME; `context`
 * is its upvalue 1, a light userdata. */
struct host_native {
    const char *name;
    int (*function)(struct lua_State *);
    void *context;
};

struct host_setup {
    const char *script;
    bool trusted;                      /* the script may use what trusted.h says */
    const struct host_option *options; /* for chat.options */
    size_t option_count;
    const struct host_native *natives;
    size_t native_count;
    const struct log *log;
    struct stats *stats;
    struct stall_log *stall_log; /* or NULL */
    struct mailbox *inbox;       /* mail for it */
    struct mailbox *shards;      /* their inboxes, by index */
    uint32_t shard_count;
    struct mailbox *services;      /* takes MAIL_FETCH; MAIL_FETCHED comes to the inbox.
                                    * NULL: no service can be asked */
    const char *const *http_allow; /* whom scripts may ask: origins */
    size_t http_allow_count;
    size_t http_max;               /* bytes of a request's body */
    const struct host_option *env; /* what chat.env tells; value NULL: it is not set */
    size_t env_count;
    int json_depth;     /* of clients' messages */
    size_t frame_max;   /* bytes of a message from the rules */
    size_t queue_max;   /* of --max-queue, to be named */
    struct quota *held; /* what clients say while their handlers wait; NULL: any number */
    const atomic_bool *is_draining; /* messages are not handled any more */
    size_t memory_max;              /* bytes for the Lua state */
    double handler_time;            /* seconds a handler may run */
    uint32_t rooms_max, rooms_per_client;
    const char *version;
    double now;    /* seconds on the steady clock, until the first turn */
    double wall;   /* the same on the wall clock: since 1970 */
    uint64_t seed; /* of math.random and of tokens; 0: chance */
};

/* What `setup` points to outlives the host. NULL when memory is out. */
struct host *host_new(const struct host_setup *setup);
void host_free(struct host *h);

/* Loads the script: first in a scratch state, where its selftest runs, then in the live
 * one, then swaps it in. Returns 0, or -1 with the reason logged; then the rules that
 * were in force still are. */
int host_load(struct host *h);

/* The same for rules whose text is `source` instead of the script's file (if it is not
 * empty); what they require is beside that file. */
int host_load_text(struct host *h, struct bytes source);

/* True once after a file of the rules was saved. To be called a few times a second. */
bool host_has_changed(struct host *h);

/* Fires what is due at `now` (seconds on the steady clock), handles mail and posts what
 * the handlers did: as much as its share of time lets it. `wall` (seconds since 1970) is
 * what scripts are shown. Returns true when there is more to do at once. */
bool host_turn(struct host *h, double now, double wall);

/* When the next timer is due, in seconds on the steady clock; 0: none is set. */
double host_next(const struct host *h);

/* Every shard is drained and every client has had its on_close. */
bool host_is_drained(const struct host *h);

#endif
