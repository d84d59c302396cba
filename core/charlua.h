/* charlua: a WebSocket chat server in your process; its rules are a Lua script.
 *
 * The only public header. Typical use:
 *     struct charlua *server = charlua_new();
 *     charlua_set(server, "script", "chat.lua");
 *     if (charlua_run(server) < 0) puts(charlua_error(server));
 *     charlua_free(server);
 *
 * Threads. charlua_run blocks, and starts threads of its own as the option "threads"
 * says. Meanwhile charlua_stop, _reload, _post, _get_stats, _limit_reached, _port and
 * _error may be called from any thread, callbacks included. What changes a server (_set,
 * _register, _on_log, _on_ready, _on_tick) and what uses its rules (_run, _check, _test,
 * _inspect) returns -1 while it runs, and nothing has changed. Callbacks must not block:
 * the server waits for them.
 *
 * Lifetimes. Texts that are given are copied; `context` pointers are only handed back,
 * and have to live as long as the server. Several servers in one process know nothing of
 * each other.
 *
 * Signals. No handler is installed and none is removed. SIGPIPE is blocked in the thread
 * that calls charlua_run, until it returns, and in the threads that it starts; these
 * inherit the rest of that thread's mask, so block there what they are not to handle.
 *
 * Errors. What can fail returns 0 or -1, and charlua_error has the reason. */
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

/* Frees a server; NULL is allowed. One that runs is not freed, and its log says so: call
 * charlua_stop and wait for charlua_run to return first. No other thread may use it. */
CHARLUA_API void charlua_free(struct charlua *server);

/* What an option is called (without dashes), what its value stands for (NULL: a flag),
 * its default (NULL: none) and one sentence of help. */
struct charlua_option {
    const char *name, *argument, *preset, *help;
};

/* All options, *count of them, in the order of the help. */
CHARLUA_API const struct charlua_option *charlua_options(size_t *count);

/* The one of `names` (NULL behind the last) that `word` was probably meant to be; NULL:
 * none is near. For words of a program's own: charlua_set says it of options itself. */
CHARLUA_API const char *charlua_nearest(const char *word, const char *const *names);

/* Sets an option; those that may be given several times add, of others the last one
 * counts. "script" is the path of the rules. A flag ("watch") is set by "yes", "true",
 * "1" or NULL, and unset by "no", "false" or "0". Returns 0, or -1 with nothing changed.
 */
CHARLUA_API int charlua_set(struct charlua *server, const char *name, const char *value);

/* Checks what only makes sense together, as charlua_run does. Changes nothing. Returns 0
 * or -1. */
CHARLUA_API int charlua_check(struct charlua *server);

/* Makes a C function available to the scripts as chat.native.NAME. It is a lua_CFunction;
 * `context` is its upvalue 1, a light userdata. It runs on the host's thread. A name is 1
 * to 64 letters, digits and _, and begins with no digit; at most 64 functions, each under
 * a name of its own. Returns 0 or -1. */
CHARLUA_API int charlua_register(struct charlua *server, const char *name,
                                 int (*function)(struct lua_State *), void *context);

/* Sends log lines to `sink` (NULL: standard error); level is "error", "warn", "info" or
 * "debug". `sink` is called from several threads, at the same time too. Returns 0 or -1.
 */
CHARLUA_API int charlua_on_log(struct charlua *server,
                               void (*sink)(void *context, const char *level,
                                            const char *line),
                               void *context);

/* Calls `ready` (NULL: nothing) on the thread of charlua_run once it is listening.
 * Returns 0 or -1. */
CHARLUA_API int charlua_on_ready(struct charlua *server, void (*ready)(void *context),
                                 void *context);

/* Calls `tick` (NULL: nothing) on the thread of charlua_run every `seconds` (above 0, to
 * 1,000,000) while it serves and every one of its threads has made progress since the
 * last call: for a watchdog. Returns 0 or -1. */
CHARLUA_API int charlua_on_tick(struct charlua *server, double seconds,
                                void (*tick)(void *context), void *context);

/* Loads the script, listens and serves until charlua_stop. Returns 0 after an orderly
 * end, -1 if it could not start. Blocks. A server runs once, whether it could start or
 * not: after that this returns -1; make a new server. */
CHARLUA_API int charlua_run(struct charlua *server);

/* Drains and ends: no new connections, Close 1001 to everyone, on_close for each, at most
 * 5 seconds; a second call does not wait for the clients. Any thread, and signal handlers
 * too. Before charlua_run: it will end as soon as it has begun. After: nothing. */
CHARLUA_API void charlua_stop(struct charlua *server);

/* Loads the rules and the certificates again, as SIGHUP does to the program. Any thread,
 * and signal handlers too. While the server does not run: nothing. */
CHARLUA_API void charlua_reload(struct charlua *server);

/* Sends `json` (a NUL-terminated JSON text in UTF-8 of at most 16 MiB; it is not parsed)
 * to all members of a room, in order with what scripts send; nobody in it: nothing
 * happens. Any thread. Returns 0, or -1 while it does not run, when too much waits for
 * the rules already, the text is not UTF-8 or too large, or memory is out. */
CHARLUA_API int charlua_post(struct charlua *server, const char *room, const char *json);

/* Counters since the start; `connections` is the number that are open now. */
struct charlua_stats {
    uint64_t connections, accepted, refused;
    uint64_t messages_in, messages_out, dropped, slow_closed, fast_closed, turned_away;
    uint64_t handler_errors, reloads, reload_errors;
};

/* Any thread, at any time. */
CHARLUA_API void charlua_get_stats(struct charlua *server, struct charlua_stats *stats);

/* How often the limit that `option` sets ("max-message", "ping-timeout", ...) was reached
 * since the start; 0 for what is no limit. Any thread, at any time. */
CHARLUA_API uint64_t charlua_limit_reached(struct charlua *server, const char *option);

/* The port of the `i`th --listen, as it really is; 0 for a unix socket, an `i` that is
 * not there, and while the server does not serve: before charlua_on_ready and after its
 * end. Any thread. */
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
 * `report` may be NULL. Returns 0, or -1: charlua_error says what is wrong with the file.
 */
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
 * tells `report` what is wrong or looks wrong. `report` may be NULL.
 * Returns 0, or -1: charlua_error says why it could not look. */
CHARLUA_API int charlua_inspect(struct charlua *server,
                                void (*report)(void *context,
                                               const struct charlua_finding *finding),
                                void *context);

/* Why this thread's last call for `server` failed: a sentence; empty if it did not fail.
 * In a thread whose last call went well, or that has made none: why charlua_run failed,
 * whichever thread called it. Never NULL; valid until this thread's next call. */
CHARLUA_API const char *charlua_error(const struct charlua *server);

#ifdef __cplusplus
}
#endif

#endif
