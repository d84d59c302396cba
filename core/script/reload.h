/* reload: what loading the rules and setting a host up share; host_load itself is in
 * host.h. Does not know: mail, clients. Thread: the host's. Owner: nobody. */
#ifndef CHARLUA_SCRIPT_RELOAD_H
#define CHARLUA_SCRIPT_RELOAD_H

#include "script/host_state.h"

/* Loads the rules of `h` as if it were a scratch host, which it is from now on, and runs
 * their selftest. Returns 0, or -1 with the reason. */
int reload_try(struct host *h, char error[VM_ERROR_SIZE]);

#endif
