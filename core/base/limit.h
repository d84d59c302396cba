/* limit: how often each limit was reached, and a line in the log that says so, at most
 * one a second a limit. Does not know: who enforces a limit, or what it is set to.
 * Thread: any; the counters are atomic.
 * Owner: the server, in its struct stats. */
#ifndef CHARLUA_BASE_LIMIT_H
#define CHARLUA_BASE_LIMIT_H

#include "base/addr.h"

#include <stdatomic.h>

struct log;

enum limit {
    LIMIT_CONNECTIONS,
    LIMIT_PER_ADDRESS,
    LIMIT_CONNECT_RATE,
    LIMIT_RATE,
    LIMIT_BYTE_RATE,
    LIMIT_MESSAGE,
    LIMIT_FRAGMENTS,
    LIMIT_HEAD,
    LIMIT_FIELDS,
    LIMIT_BODY,
    LIMIT_QUEUE,
    LIMIT_QUEUED,
    LIMIT_ROOMS,
    LIMIT_CLIENT_ROOMS,
    LIMIT_JSON_DEPTH,
    LIMIT_HEAD_TIME,
    LIMIT_ANSWER_TIME,
    LIMIT_PING_TIMEOUT,
    LIMIT_CLOSE_TIME,
    LIMIT_HANDLER_TIME,
    LIMIT_SCRIPT_MEMORY,
    LIMIT_HTTP_MAX,
    LIMIT_KINDS
};

struct limit_count {
    atomic_uint_fast64_t times;     /* since the start */
    atomic_uint_fast64_t told;      /* as the last line said it */
    atomic_uint_fast64_t logged_ms; /* of the last line; 0: none yet */
};

/* The option that sets it, without its dashes: "max-message". */
const char *limit_option(enum limit which);

/* Counts, and logs "SENTENCE limit=--max-message ip=192.0.2.1 times=17" unless a line
 * about this limit was logged within the second before `now_ms` (a steady clock). `who`
 * may be NULL. `counts` has LIMIT_KINDS entries. */
void limit_reached(struct limit_count *counts, enum limit which, const struct addr *who,
                   uint64_t now_ms, const struct log *log);

/* Logs those that were reached since their last line, if that is a second ago: what
 * limit_reached left out. To be called about once a second, and at the end with a
 * `now_ms` of LIMIT_END, when nothing waits any longer. */
void limit_settle(struct limit_count *counts, uint64_t now_ms, const struct log *log);

#define LIMIT_END UINT64_MAX

#endif
