/* listen: listening sockets, and the connections that come out of them.
 * Does not know: loops, or what becomes of a connection.
 * Thread: the server's.
 * Owner: the server. */
#ifndef CHARLUA_NET_LISTEN_H
#define CHARLUA_NET_LISTEN_H

#include "base/addr.h"

#include <stddef.h>
#include <sys/types.h>

struct listener {
    int fd;
    char where[128]; /* "127.0.0.1:7272" with the port it really got, or "unix:PATH" */
    uint16_t port;   /* the same; 0: a unix socket has none */
    bool tls;        /* "tls:" stood before the address */
    char path[108];  /* of a unix socket, removed by listener_close; else empty */
    dev_t device;    /* the file that we made there */
    ino_t inode;
};

/* Opens "fd:N" (a listening socket that was inherited), "ADDR:PORT" or "tls:ADDR:PORT"
 * ("[::1]:7272" for IPv6, port 0 for any free one) or "unix:PATH", perhaps with
 * ",mode=0660" and ",group=NAME" behind it. Returns 0, or -1 with
 * a sentence in `error` that says what, where and what to do. */
int listener_open(struct listener *l, const char *spec, char *error, size_t size);

/* Whether `spec` has a form that listener_open understands. */
int listener_check(const char *spec, char *error, size_t size);

/* Removes a unix socket's file, too, unless another server has put its own there since.
 */
void listener_close(struct listener *l);

enum { LISTEN_AGAIN = -1, LISTEN_NO_FDS = -2 };

/* Accepts one connection: non-blocking, close-on-exec, without Nagle's delay.
 * Returns its descriptor, LISTEN_AGAIN when none waits, LISTEN_NO_FDS when descriptors or
 * memory are out. */
int listener_accept(const struct listener *l, struct addr *from);

#endif
