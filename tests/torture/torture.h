/* torture: what its files share. wire.c moves bytes, over TCP or TLS; frame.c packs and
 * unpacks messages; garbage.c knows what nobody should say; server.c has the server as a
 * process; client.c is one client from its connection to its end; torture.c is the run.
 * One thread, one epoll. */
#ifndef TORTURE_H
#define TORTURE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum {
    ROOM = 50,             /* clients a room: 35 healthy, 5 of each other kind */
    FRAME_MAX = 64 * 1024, /* nobody is sent a larger one */
    TEXT_MAX = 8 * 1024,   /* nor says more */
    GARBAGE_MAX = 16 * 1024,
    SMALL_WINDOW = 1024, /* of those who cannot remember more (RFC 7692 7.1.2.1) */
};

/* --- wire.c -------------------------------------------------------------- */

enum { WIRE_END = 0, WIRE_AGAIN = -1, WIRE_ERROR = -2 };

struct wire {
    int fd;   /* -1: none */
    SSL *ssl; /* NULL: none, or not yet */
};

/* Connects from an address of its own, the `number`th in 127/8, to 127.0.0.1:port. With
 * `little` the socket keeps so many bytes for a reader that does not come (0: the usual).
 */
bool wire_dial(struct wire *w, int port, uint32_t number, int little);
/* TLS from here on; `old`: 1.2 at most. */
bool wire_begin_tls(struct wire *w, bool old);
/* 1 when the handshake is through, WIRE_AGAIN, or WIRE_ERROR. */
int wire_shake_hands(struct wire *w);
/* Our messages are small and few: the kernel always has room for them. Now and then they
 * leave in two pieces. False: the peer has gone. */
bool wire_put(struct wire *w, const void *bytes, size_t len);
/* The same, in one piece and to the socket itself. */
bool wire_put_below(struct wire *w, const void *bytes, size_t len);
/* Returns how many bytes came, or WIRE_END, WIRE_AGAIN, WIRE_ERROR. */
ssize_t wire_take(struct wire *w, void *at, size_t len);
/* The same, but from the socket itself. */
ssize_t wire_take_below(struct wire *w, void *at, size_t len);
/* Nothing more will be put. */
void wire_shut(struct wire *w);
/* `abruptly`: with a reset, not an end. */
void wire_close(struct wire *w, bool abruptly);
/* The first thing that a TLS client says. Returns its length, at most `size`. */
size_t wire_write_hello(uint8_t *at, size_t size);

/* --- frame.c ------------------------------------------------------------- */

/* Writes one masked frame whose first byte is `first`. Returns its length. */
size_t frame_write(uint8_t *at, uint8_t first, const void *payload, size_t len);
/* Writes a compressed text (RFC 7692 7.2.1), now and then in two frames or with a final
 * block. `at` has room for GARBAGE_MAX bytes. */
size_t frame_write_packed(uint8_t *at, const void *text, size_t len);
/* Inflates a message. Returns its length, at most FRAME_MAX, or -1. */
ssize_t frame_unpack(const uint8_t *payload, size_t len, char out[FRAME_MAX]);

/* --- garbage.c ----------------------------------------------------------- */

extern const char UPGRADE[], UPGRADE_DEFLATE[], UPGRADE_DEFLATE_SMALL[];

/* What garbage says to the program, behind an upgrade or without one. */
size_t garbage_write(uint8_t at[GARBAGE_MAX], bool deflate);
/* What it says where a handshake is expected. */
size_t garbage_write_instead_of_tls(uint8_t at[GARBAGE_MAX]);
/* What it does on a connection whose handshake is through. False: nothing this time. */
bool garbage_spoil_tls(struct wire *w);

/* --- server.c ------------------------------------------------------------ */

struct server {
    pid_t pid;
    int port;
    int log;   /* what it says, non-blocking */
    int meter; /* to meter.c within it, or -1 */
};

/* Starts `argv`, with `--listen` added (and with `tls` a certificate that does not
 * outlive the start), and waits for the line that says that it is ready. `meter`: what to
 * preload, or NULL. */
void server_start(struct server *s, char **argv, bool tls, const char *meter);
/* What its log says beyond the usual lines goes to our standard error. */
void server_read_log(const struct server *s);
int server_count_descriptors(const struct server *s);
/* Its memory by the system's account, in kB; the most so far with `peak`. */
long server_rss_kb(const struct server *s, bool peak);
/* What it has allocated and not freed, in kB; -1: no meter. */
long server_in_use_kb(const struct server *s);
/* Ends it; false: not in order. */
bool server_stop(struct server *s);

/* --- client.c ------------------------------------------------------------ */

enum kind { DYING, DEAF, GARBAGE, HEALTHY };
enum state { AWAY, SHAKING_HANDS, UPGRADING, LOGGING_IN, JOINED, LEAVING, GONE };

struct client {
    struct wire wire;
    enum kind kind;
    enum state state;
    bool saying; /* has not heard its own words yet */
    uint32_t said;
    uint32_t heard[ROOM]; /* of each in the room, how many */
    uint8_t *rest;        /* the beginning of a frame */
    size_t rest_len;
};

void client_dial(struct client *c);
void client_hang_up(struct client *c, bool abruptly);
void client_say(struct client *c);
void client_leave(struct client *c);
void client_die(struct client *c);
void client_on_event(struct client *c, uint32_t events);

/* --- torture.c ----------------------------------------------------------- */

extern struct torture {
    int count, waves, seconds, rate, messages; /* the order */
    bool tls, deflate;
    const char *meter;
    FILE *csv;
    struct server server;
    int epoll;
    struct client *clients;
    int joined, joining, saying, healthy;
    uint64_t says, deliveries, deaths, garbage, faults;
    uint64_t packed, unpacked;           /* messages that we sent and got compressed */
    uint64_t unpacked_from, unpacked_to; /* bytes */
    double began, progress;              /* seconds */
} t;

double now(void);
uint32_t random_below(uint32_t n);
/* Ends the run, and the server. */
_Noreturn void stop(const char *why);

#endif
