/* stream: a peer's byte stream: plain sockets here, other kinds (a test's memory) by
 * their own ops. Does not know: what the bytes mean, when to read or write. Thread: its
 * connection's shard. Owner: the conn that it was given to. */
#ifndef CHARLUA_NET_STREAM_H
#define CHARLUA_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { STREAM_END = 0, STREAM_AGAIN = -1, STREAM_ERROR = -2 };

struct stream;

enum stream_wants {
    STREAM_WANTS_NOTHING,
    STREAM_WANTS_WRITE, /* to write what it took already: call write, with nothing if need
                           be */
    STREAM_WANTS_READ_RETRY, /* to be read again once the socket is writable */
};

struct stream_ops {
    /* Up to `len` bytes into `at`. Returns how many, or END, AGAIN, ERROR. */
    ssize_t (*read)(struct stream *, uint8_t *at, size_t len);
    /* Writes from `iov`, of `count` pieces, perhaps none. Returns how many bytes it took,
     * AGAIN or ERROR. */
    ssize_t (*write)(struct stream *, const struct iovec *iov, int count);
    /* What it waits for beside what its owner wants; NULL: never anything. */
    enum stream_wants (*wants)(const struct stream *);
    /* Up to `len` bytes that came in front of the encryption, which stay there if `peek`.
     * Answers like read. NULL: nothing is encrypted. */
    ssize_t (*read_raw)(struct stream *, uint8_t *at, size_t len, bool peek);
    /* The subject of the peer's verified certificate (RFC 2253) into `out`; false: there
     * is none. NULL: never one. */
    bool (*subject)(const struct stream *, char *out, size_t size);
    /* Bytes that were received already wait inside, where poll does not see them. */
    bool (*is_pending)(const struct stream *);
    /* Says that nothing more will be written (FIN). */
    void (*shutdown)(struct stream *);
    /* Closes, and frees what it owns. */
    void (*free)(struct stream *);
};

struct stream {
    const struct stream_ops *ops;
    int fd;      /* what to watch, or -1 */
    bool secure; /* encrypted */
};

/* A stream in the caller's memory over a connected, non-blocking socket, which it owns
 * from now on. */
void stream_tcp_init(struct stream *s, int fd);

#endif
