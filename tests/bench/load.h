/* load.h: what the load generator is asked to do, and the scenarios that do it. Does not
 * know how bytes come and go: that is client.h. One thread. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum dialect {
    CHARLUA, /* {"type":"login"...}, {"type":"say"...}: what is said comes back in JSON */
    PLAIN,   /* a room is a path, and what is said comes back as it was */
};

struct options {
    const char *scenario;
    enum dialect dialect;
    int port;
    int rooms, members, senders;      /* clients: rooms * members; senders of each room */
    const char *loops;                /* "closed,50,800": one measurement each */
    double warmup, seconds;           /* of each */
    uint64_t warm_messages, messages; /* instead of them, if not 0 */
    int window;                       /* connections on their way in at once */
    int memberships;                  /* idle: so many more rooms for everybody */
    bool
        lockstep; /* the next message when all have heard the last, not just its sender */
    bool login, quiet, tls, deflate;
    pid_t pids[16]; /* of the server */
    int pid_count;
};

extern struct options options;

/* Says why on standard error and ends the program with status 1. */
_Noreturn void stop(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Each runs to its end, prints a line of JSON for each measurement, and stops the program
 * if a message was lost, doubled or out of order. */
void chat_run(void);
void handshake_run(void);
void idle_run(void);

/* Connects all clients of `options` and sees them in their rooms. What comes later is for
 * `on_text`. */
struct client;
struct client *crowd_join(void (*on_text)(struct client *, const char *, size_t));
void crowd_leave(struct client *clients);

#endif
