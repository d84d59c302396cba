/* place: a loop, the thread that runs it, and the actors on it; it runs their turns.
 * Does not know: what the actors do, how they are made, listeners.
 * Thread: a place is its own thread's; place_wake is for any.
 * Owner: assemble, in struct actors. */
#ifndef CHARLUA_SERVER_PLACE_H
#define CHARLUA_SERVER_PLACE_H

#include "base/mailbox.h"
#include "room/shard.h"
#include "script/host.h"

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What all places of a server look at. */
struct common {
    atomic_uint beat;    /* ticks so far; every place is asked to follow */
    atomic_bool ending;  /* every loop ends after its turn */
    atomic_bool drained; /* the host has told everyone; nothing more comes */
    struct place *main;  /* told when that is so */
    struct place *host;  /* where the host lives */
    struct mailbox host_inbox;
};

struct place {
    struct common *common;
    struct ev_loop *loop;
    ev_async wake;
    ev_prepare turn;
    ev_timer due;        /* the host's next timer */
    double due_at;       /* when it fires, while it is active */
    ev_timer watch;      /* looks at the rules' files */
    struct host *host;   /* NULL: lives elsewhere */
    struct shard *shard; /* NULL: none here */
    pthread_t thread;
    bool has_thread;
    atomic_uint beat; /* the common one, as of the last turn */
};

/* Gives `p` a loop of its own. Returns 0 or -1. */
int place_init(struct place *p, struct common *common);
void place_deinit(struct place *p);

/* Has `p` make a turn soon; nothing if this thread runs it, for its own turn comes before
 * it blocks. */
void place_wake(struct place *p);

/* The same even from its own thread, which may have made its turn already. */
void place_wake_again(struct place *p);

/* From now on the files of its host's rules are looked at. Before it runs. */
void place_watch(struct place *p);

/* Runs the loop on a thread of its own. Returns 0, or -1 with errno. */
int place_start(struct place *p);

/* Runs the loop on the caller's thread until `ending`. */
void place_run(struct place *p);

/* Waits for the thread of place_start, if there is one; `ending` has to be set. */
void place_join(struct place *p);

#endif
