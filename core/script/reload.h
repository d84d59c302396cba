/* reload: what loading the rules and setting a host up share; host_load itself is in
 * host.h. Does not know: mail, clients. Thread: the host's. Owner: nobody. */
#ifndef CHARLUA_SCRIPT_RELOAD_H
#define CHARLUA_SCRIPT_RELOAD_H

#include <lua.h>

/* Pushes a cjson of its own (errors returned, not raised), set to be strict. [-0, +1] */
void reload_push_json(lua_State *L);

#endif
