/* sock.h: a connection's bytes, over TCP or TLS, never blocking. Does not know WebSocket.
 * The thread that calls owns them all. */
#ifndef BENCH_SOCK_H
#define BENCH_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sock {
    int fd;    /* -1: none */
    void *tls; /* SSL, or NULL */
};

/* Connects to 127.0.0.1:port and tells `epoll`, with `data`. */
void sock_dial(struct sock *s, int port, bool tls, int epoll, void *data);
/* To be called when something has happened. 1: it is through; 0: not yet; -1: refused. */
int sock_connect(struct sock *s);
/* As recv(2): 0 at the end, -1 with EAGAIN in errno when there is nothing. */
ssize_t sock_read(struct sock *s, void *at, size_t size);
/* All of it; what is written here is small. False: the peer has gone. */
bool sock_write(struct sock *s, const void *bytes, size_t len);
/* Closes with a reset, which leaves no TIME_WAIT on either side. */
void sock_reset(struct sock *s);

#endif
