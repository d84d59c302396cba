/* app: the table that a script returns: loading it, checking its shape, swapping it in.
 * Does not know: clients, mail, what the handlers do.
 * Thread: the host's.
 * Owner: nobody; the table lives in the registry under KEY_APP. */
#ifndef CHARLUA_SCRIPT_APP_H
#define CHARLUA_SCRIPT_APP_H

#include "script/inside.h"

/* Runs the script, with the modules at `builtins` (name to value), and pushes the app it
 * returned, with its shape checked: unknown fields, wrong types and another api than 1
 * raise, with a hint. [-0, +1] */
void app_load(lua_State *L, struct host *h, int builtins);

/* Tells the shards the subprotocols of the app on top. [-0, +0] */
void app_protocols(lua_State *L, struct host *h);

/* Makes the table on top the rules in force. [-1, +0] */
void app_swap(lua_State *L);

/* Pushes field `name` of the app, or of its table `section` (may be NULL); nil if there
 * is none. [-0, +1] */
void app_push(lua_State *L, const char *section, const char *name);

#endif
