/* testing: `charlua test`: runs a file of cases, written in Lua, each against rules that
 * play.c plays. What cases can say is in testing.lua, which is part of the program.
 * Does not know: sockets, clocks, how results are printed.
 * Thread: the caller's.
 * Owner: nobody; all is freed when it returns. */
#ifndef CHARLUA_PLAY_TESTING_H
#define CHARLUA_PLAY_TESTING_H

#include "script/host.h"

struct testing_case {
    const char *name;
    int line;          /* where it failed, or where the case begins */
    const char *error; /* NULL: it passed */
};

/* Runs the cases of `file` whose names contain `filter` (NULL: all), in order, and tells
 * `report` of each when it has ended. `setup` is what rules get; its script is, unless
 * the file says otherwise, the one beside the file without "_test" in its name. Returns
 * 0, or -1 with what is wrong with the file in `error`. */
int testing_run(const struct host_setup *setup, const char *file, const char *filter,
                void (*report)(void *ctx, const struct testing_case *result), void *ctx,
                char *error, size_t size);

#endif
