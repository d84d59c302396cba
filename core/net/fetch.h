/* fetch: asks services over HTTP, with a thread of its own, so that names, handshakes and
 * slow answers hold up nobody. Does not know: who may be asked, what the answers mean, or
 * who waits for them; it gets mail and answers with mail. Thread: its own; new and free
 * on the caller's, the inbox from any, wake from any. Owner: the server. */
#ifndef CHARLUA_NET_FETCH_H
#define CHARLUA_NET_FETCH_H

#include "base/log.h"
#include "base/mailbox.h"
#include "base/stats.h"

enum {
    FETCH_AT_ONCE = 100,
    FETCH_MAX = FETCH_AT_ONCE + 1000, /* with those that wait for their turn */
};

struct fetch_setup {
    struct mailbox
        *host;       /* gets a MAIL_FETCHED for each MAIL_FETCH that is not called off
                      */
    const char *ca;  /* a PEM file to trust beside the system's; NULL: none */
    size_t body_max; /* bytes of an answer's body */
    const struct log *log;
    struct stats *stats;
};

struct fetch;

/* Starts the thread; what `setup` points to outlives it. NULL with a sentence in `error`.
 */
struct fetch *fetch_new(const struct fetch_setup *setup, char *error, size_t size);

/* Calls everything off without an answer and ends the thread. NULL is allowed. */
void fetch_free(struct fetch *f);

/* Takes MAIL_FETCH and MAIL_FETCH_CANCEL. */
struct mailbox *fetch_inbox(struct fetch *f);

/* The host's inbox has room again. NULL is allowed. */
void fetch_wake(struct fetch *f);

#endif
