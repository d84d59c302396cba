/* client.h: WebSocket clients on one epoll: the upgrade, and frames both ways. Does not
 * know what texts mean. Reading is cheap, so that the server is what is measured: one
 * large read for many frames, and no parsing beyond their heads. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "sock.h"
#include <stdint.h>

enum client_state { CONNECTING, UPGRADING, OPEN, JOINED, CLOSING, GONE };

struct client {
    struct sock sock;
    enum client_state state;
    int id;
    uint32_t rest_len;
    uint8_t *rest;     /* the beginning of a frame */
    uint64_t began_ns; /* when it dialled */
};

/* What happens to clients. Inside these, sending and resetting are allowed. */
struct handlers {
    void (*on_open)(struct client *);                           /* upgraded */
    void (*on_text)(struct client *, const char *text, size_t); /* borrowed */
    void (*on_end)(struct client *); /* by the server; it is reset already */
};

/* Connects `c`, whose `id` is set, and upgrades. */
void client_dial(struct client *c);
/* False: the connection has ended. */
bool client_send(struct client *c, const char *text, size_t len);
/* Says Close; the answer, or the end, comes as on_end. */
bool client_close(struct client *c);
void client_reset(struct client *c);

void clients_init(struct handlers handlers);
/* Waits up to `ns` nanoseconds for something to happen, and handles it. */
void clients_turn(int64_t ns);

#endif
