/* app: the table that a script returns: loading it, checking its shape, making one set of
 * rules of it and of the modules that it uses, swapping them in.
 * Does not know: clients, mail, what the handlers do.
 * Thread: the host's.
 * Owner: nobody; the rules live in the registry under KEY_APP. */
#ifndef CHARLUA_SCRIPT_APP_H
#define CHARLUA_SCRIPT_APP_H

#include "script/host_state.h"

/* Runs the script, with the modules at `builtins` (name to value), checks the shape of
 * the app that it returned (unknown fields, wrong types and another api than 1 raise,
 * with a hint), and pushes the rules: a table with the fields of an app, in which a
 * function calls all handlers of its event, the app's and those of the modules in
 * app.use. [-0, +1] */
void app_load(lua_State *L, struct host *h, int builtins);

/* Pushes what chat.hook returns: the value that adds the function at `f` to an event's
 * handlers. Raises for an event that there is not. [-0, +1] */
void app_push_hook(lua_State *L, const char *event, int f, lua_Number priority);

/* Tells the shards the subprotocols of the rules on top. [-0, +0] */
void app_protocols(lua_State *L, struct host *h);

/* Calls the migrate of the rules on top if their version is another one than that of the
 * rules in force. [-0, +0] */
void app_migrate(lua_State *L);

/* Makes the table on top the rules in force. [-1, +0] */
void app_swap(lua_State *L);

/* Pushes field `name` of the rules in force, or of their table `section` (may be NULL);
 * nil if there is none. [-0, +1] */
void app_push(lua_State *L, const char *section, const char *name);

#endif
