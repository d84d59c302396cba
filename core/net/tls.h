/* tls: certificates, and streams that speak TLS with them (OpenSSL).
 * Does not know: HTTP, WebSocket, loops.
 * Thread: tls_reload and stream_tls_new from any; a stream belongs to its shard.
 * Owner: the server owns the struct tls; a conn owns its stream. */
#ifndef CHARLUA_NET_TLS_H
#define CHARLUA_NET_TLS_H

#include "net/stream.h"

struct tls;

struct tls_files {
    const char *cert; /* PEM, the chain with the leaf first */
    const char *key;  /* PEM */
};

/* Reads `count` pairs; which one a client sees is chosen by SNI, the first if none fits.
 * `client_ca` (PEM, or NULL) asks clients for certificates, which they need not have.
 * TLS 1.2 and 1.3. The strings are borrowed for the life of the struct. NULL with a
 * sentence in `error`. */
struct tls *tls_new(const struct tls_files *files, size_t count, const char *client_ca,
                    char *error, size_t size);
void tls_free(struct tls *tls);

/* Reads the files again; new connections get what is in them. Returns 0, or -1 with a
 * sentence in `error`: then the old ones stay in use. Connections that are open keep
 * theirs. */
int tls_reload(struct tls *tls, char *error, size_t size);

/* Says in `text` whose the `i`th certificate is, until when, and the beginning of its
 * digest: "cert=a.pem subject=/CN=a expires=2027-01-01T00:00:00Z sha256=0a1b2c3d".
 * Returns 0, or -1: there are not so many. */
int tls_describe(struct tls *tls, size_t i, char *text, size_t size);

/* A server's stream over a connected, non-blocking socket, which it owns from now on.
 * NULL when memory is out: then the caller still owns `fd`. */
struct stream *stream_tls_new(struct tls *tls, int fd);

#endif
