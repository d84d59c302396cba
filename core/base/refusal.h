/* refusal: how often requests are refused for each reason, and a line in the log that
 * says so, at most one a minute a reason; and which names have been told of once. Does
 * not know: HTTP, or why anything is refused. Thread: any; all of it is atomic. Owner:
 * the server, in its struct stats; zeroed it is empty. */
#ifndef CHARLUA_BASE_REFUSAL_H
#define CHARLUA_BASE_REFUSAL_H

#include "base/bytes.h"

#include <stdatomic.h>

struct log;

enum { REFUSAL_REASONS_MAX = 32, REFUSAL_NAMES_MAX = 64 };

struct refusal_count {
    _Atomic(const char *) why;
    atomic_uint_fast64_t untold;    /* since the last line */
    atomic_uint_fast64_t logged_ms; /* of that line; 0: none yet */
};

struct refusals {
    struct refusal_count
        reasons[REFUSAL_REASONS_MAX];              /* the last one is for all others */
    atomic_uint_fast64_t names[REFUSAL_NAMES_MAX]; /* by hash; 0: free */
};

/* Counts, and logs "requests refused reason=\"WHY\" times=17" unless a line
 * about this reason was logged within the minute before `now_ms` (a steady clock). `why`
 * is a static text. */
void refusal_note(struct refusals *r, const char *why, uint64_t now_ms,
                  const struct log *log);

/* Logs what was not told yet and may be now: all of it at UINT64_MAX, when nothing
 * follows. */
void refusal_settle(struct refusals *r, uint64_t now_ms, const struct log *log);

/* True once for each `name`, in any case; false for all once REFUSAL_NAMES_MAX are
 * known. */
bool refusal_is_new_name(struct refusals *r, struct bytes name);

#endif
