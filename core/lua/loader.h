/* loader: a script and the modules it requires, each load with globals and modules of its
 * own. Does not know: what an app is, clients, mail. Thread: the host's. Owner: the host
 * embeds the list of files. */
#ifndef CHARLUA_LUA_LOADER_H
#define CHARLUA_LUA_LOADER_H

#include "base/bytes.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { LOADER_FILES_MAX = 256, LOADER_PATH_MAX = 1024 };

/* A file that the last load read or tried to read, and how it looked then. */
struct loaded_file {
    char path[LOADER_PATH_MAX];
    int64_t size; /* -1: it was not there, and all else is zero */
    uint64_t device, inode;
    struct timespec mtime, ctime;
};

struct loader {
    struct loaded_file *files;
    int count;
    bool changed; /* at the last look */
    bool trusted; /* scripts get what trusted.h says, too */
};

void loader_deinit(struct loader *l);

/* Runs the file `script`, or `source` in its place if that is not empty, with fresh
 * globals and modules and pushes the one value it returned. Text chunks only; `require
 * "name"` finds name.lua (dots are folders) beside the script, "charlua" and "cjson";
 * what they are is taken from the table at `builtins` (name to value). Raises when
 * anything fails. [-0, +1] */
void loader_run(lua_State *L, struct loader *l, const char *script, struct bytes source,
                int builtins);

/* True once after any of the files has changed and has then stayed the same from one call
 * to the next. */
bool loader_has_changed(struct loader *l);

/* Keeps the list of files of `from` in `to`, whose own is given up. Without memory it
 * becomes empty. */
void loader_keep(struct loader *to, const struct loader *from);

/* Writes which files `now` has otherwise than `before`, as they were at their loads, as
 * fields of a log line: " changed=a.lua,b.lua added=c.lua removed=d.lua"; empty: none. */
void loader_describe(const struct loader *before, const struct loader *now, char *text,
                     size_t size);

#endif
