/* watchdog: says in the log who holds the server while he still does: a handler whose C
 * code, which no budget stops, takes more than a second. Does not know: Lua; what it may
 * do about it is nothing. Thread: its own; begin, name and end are the host's, without a
 * lock, a clock or a system call. Owner: the server. */
#ifndef CHARLUA_LUA_WATCHDOG_H
#define CHARLUA_LUA_WATCHDOG_H

#include "base/log.h"

#include <stdint.h>

struct watchdog;

/* Starts the thread. NULL when there is no memory for that. `log` outlives it. */
struct watchdog *watchdog_new(const struct log *log);
/* Ends the thread. */
void watchdog_free(struct watchdog *w);

/* The handler called `name` (its first 32 bytes count) runs for `client` (0: nobody) from
 * here to watchdog_end. All of them take NULL for no watchdog. */
void watchdog_begin(struct watchdog *w, const char *name, uint64_t client);
/* It has a better name. */
void watchdog_name(struct watchdog *w, const char *name);
void watchdog_end(struct watchdog *w);

#endif
