/* inspect: `charlua check`: loads rules in a scratch host, runs their selftest and reads
 * their sources for what looks wrong. What it looks for is in inspect.lua, which is part
 * of the program.
 * Does not know: clients, how findings are printed.
 * Thread: the caller's.
 * Owner: nobody; all is freed when it returns. */
#ifndef CHARLUA_PLAY_INSPECT_H
#define CHARLUA_PLAY_INSPECT_H

#include "script/host.h"

struct inspect_finding {
    const char *file;
    int line;      /* 0: the whole file */
    bool is_error; /* the rules would not load; else they only look wrong */
    const char *message;
};

/* Tells `report` what it finds about setup->script, file by file. Returns 0, or -1 with
 * `error` when it could not look at all (memory). */
int inspect_run(const struct host_setup *setup,
                void (*report)(void *ctx, const struct inspect_finding *finding),
                void *ctx, char *error, size_t size);

#endif
