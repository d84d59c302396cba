/* stall_log: says in the log who holds the server while he still does: a handler whose C
 * code, which no budget stops, takes more than a second. Does not know: Lua; what it may
 * do about it is nothing. Thread: its own; begin, name and end are the host's, without a
 * lock, a clock or a system call. Owner: the server. */
#ifndef CHARLUA_LUA_STALL_LOG_H
#define CHARLUA_LUA_STALL_LOG_H

#include "base/log.h"

#include <stdint.h>

struct stall_log;

/* Starts the thread. NULL when there is no memory for that. `log` outlives it. */
struct stall_log *stall_log_new(const struct log *log);
/* Ends the thread. */
void stall_log_free(struct stall_log *w);

/* The handler called `name` (its first 32 bytes count) runs for `client` (0: nobody) from
 * here to stall_log_end. All of them take NULL for none. */
void stall_log_begin(struct stall_log *w, const char *name, uint64_t client);
/* It has a better name. */
void stall_log_name(struct stall_log *w, const char *name);
void stall_log_end(struct stall_log *w);

#endif
