/* charlua: a WebSocket chat server in your process; its rules are a Lua script.
 *
 * The only public header. Typical use:
 *     struct charlua *server = charlua_new();
 *     charlua_set(server, "script", "chat.lua");
 *     if (charlua_run(server) < 0) puts(charlua_error(server));
 *     charlua_free(server);
 * charlua_run blocks; stop, reload, post and stats may be called from any other thread
 * meanwhile. */
#ifndef CHARLUA_H
#define CHARLUA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CHARLUA_API __attribute__((visibility("default")))

struct charlua;
struct lua_State;

/* "MAJOR.MINOR.PATCH" of the library. */
CHARLUA_API const char *charlua_version(void);

/* A server that is not running yet, with every option at its default. NULL when memory is
 * out. */
CHARLUA_API struct charlua *charlua_new(void);

/* Frees a server that does not run. NULL is allowed. */
CHARLUA_API void charlua_free(struct charlua *server);

/* What an option is called (without dashes), what its value stands for (NULL: a flag),
 * its default (NULL: none) and one sentence of help. */
struct charlua_option {
    const char *name, *argument, *preset, *help;
};

/* All options, *count of them, in the order of the help. */
CHARLUA_API const struct charlua_option *charlua_options(size_t *count);

/* Sets an option before the start; "listen" and "set" may be given several times,
 * "script" is the path of the rules. Returns 0, or -1: charlua_error says what is wrong.
 */
CHARLUA_API int charlua_set(struct charlua *server, const char *name, const char *value);

/* Checks what only makes sense together and fills in the defaults; charlua_run does so
 * too. Returns 0 or -1. */
CHARLUA_API int charlua_check(struct charlua *server);

/* Makes a C function available to the scripts as chat.native.NAME, before the start. It
 * is a lua_CFunction; `context` is its upvalue 1, a light userdata. It runs on the host's
 * thread. Returns 0 or -1. */
CHARLUA_API int charlua_register(struct charlua *server, const char *name,
                                 int (*function)(struct lua_State *), void *context);

/* Sends log lines to `sink` instead of standard error, before the start; level is
 * "error", "warn", "info" or "debug". `sink` is called from several threads. */
CHARLUA_API void charlua_on_log(struct charlua *server,
                                void (*sink)(void *context, const char *level,
                                             const char *line),
                                void *context);

/* Calls `ready` on the server's thread once it is listening, before the start. */
CHARLUA_API void charlua_on_ready(struct charlua *server, void (*ready)(void *context),
                                  void *context);

/* Calls `tick` on the server's thread every `seconds` while it serves and every one of
 * its threads has made progress since the last call, before the start: for a watchdog. */
CHARLUA_API void charlua_on_tick(struct charlua *server, double seconds,
                                 void (*tick)(void *context), void *context);

/* Loads the script, listens and serves until charlua_stop. Returns 0 after an orderly
 * end, -1 if it could not start: charlua_error says why. Blocks; once for each server. */
CHARLUA_API int charlua_run(struct charlua *server);

/* Drains and ends: no new connections, Close 1001 to everyone, on_close for each, at most
 * 5 seconds. Any thread, and signal handlers too. */
CHARLUA_API void charlua_stop(struct charlua *server);

/* Loads the rules again, as SIGHUP does. Any thread, and signal handlers too. */
CHARLUA_API void charlua_reload(struct charlua *server);

/* Sends `json` (a NUL-terminated JSON text in UTF-8) to all members of a room, in order
 * with what scripts send; nobody in it: nothing happens. Any thread, while the server
 * runs. Returns 0, or -1 when it does not run, the text is not UTF-8 or is too large, or
 * memory is out. */
CHARLUA_API int charlua_post(struct charlua *server, const char *room, const char *json);

/* Counters since the start; `connections` is the number that are open now. */
struct charlua_stats {
    uint64_t connections, accepted, refused;
    uint64_t messages_in, messages_out, dropped, slow_closed, fast_closed, turned_away;
    uint64_t handler_errors, reloads, reload_errors;
};

/* Any thread. */
CHARLUA_API void charlua_get_stats(struct charlua *server, struct charlua_stats *stats);

/* How often the limit that `option` sets ("max-message", "ping-timeout", ...) was reached
 * since the start; 0 for an option that is no limit. Any thread. */
CHARLUA_API uint64_t charlua_limit_reached(struct charlua *server, const char *option);

/* The port of the `i`th --listen, as it really is; 0 for a unix socket or an `i` that is
 * not there. From charlua_on_ready on, while the server runs. */
CHARLUA_API int charlua_port(const struct charlua *server, size_t i);

/* A case that charlua_test has run. */
struct charlua_case {
    const char *name;
    int line;          /* of its file: where it failed, or where it begins */
    const char *error; /* NULL: it passed */
};

/* Runs the cases of the Lua file `file` (scripts/README.md, "Tests") whose names contain
 * `filter` (NULL: all) with the options that are set, without sockets and without
 * waiting: clients and time are made up. `report` is told of each case when it has ended.
 * Returns 0, or -1: charlua_error says what is wrong with the file. Not while it runs. */
CHARLUA_API int charlua_test(struct charlua *server, const char *file, const char *filter,
                             void (*report)(void *context,
                                            const struct charlua_case *result),
                             void *context);

/* Something that charlua_inspect has found. */
struct charlua_finding {
    const char *file;
    int line;     /* 0: the whole file */
    int is_error; /* the rules would not load; else they only look wrong */
    const char *message;
};

/* Loads the rules that the option "script" names as a trial, runs their selftest, and
 * tells `report` what is wrong or looks wrong. Returns 0, or -1: charlua_error says why
 * it could not look. Not while it runs. */
CHARLUA_API int charlua_inspect(struct charlua *server,
                                void (*report)(void *context,
                                               const struct charlua_finding *finding),
                                void *context);

/* What the last call of set, register, test, inspect or run that returned -1 failed for:
 * a sentence. Never NULL. */
CHARLUA_API const char *charlua_error(const struct charlua *server);

#ifdef __cplusplus
}
#endif

#endif
