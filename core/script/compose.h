/* compose: handlers of one event, from several modules, made one function.
 * Does not know: which events there are, what an app is.
 * Thread: the host's.
 * Owner: nobody; what it makes are Lua values. */
#ifndef CHARLUA_SCRIPT_COMPOSE_H
#define CHARLUA_SCRIPT_COMPOSE_H

#include <lua.h>
#include <stdbool.h>

/* Adds the function on top to the handlers of `event` in the table at `events` (event's
 * name to array of {function, priority}): behind those of the same or a lower priority.
 * [-1, +0] */
void compose_add(lua_State *L, int events, const char *event, lua_Number priority);

/* Pushes the handlers of `event`, preceded at the same priority by those of `first` (may
 * be NULL), as one function; nil if there are none. If `stops`, a handler that returns
 * false ends it, and what that one returned is the result. Handlers may wait. [-0, +1] */
void compose_push(lua_State *L, int events, const char *first, const char *event,
                  bool stops);

#endif
