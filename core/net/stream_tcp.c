/* stream_tcp: recvmsg's and sendmsg's answers in the terms of stream.h. */
#include "net/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t result(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? STREAM_AGAIN
                                                                     : STREAM_ERROR;
}

static ssize_t tcp_read(struct stream *s, uint8_t *at, size_t len)
{
    return result(recv(s->fd, at, len, 0));
}

static ssize_t tcp_write(struct stream *s, const struct iovec *iov, int count)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                         .msg_iovlen = (size_t)count};
    return result(sendmsg(s->fd, &msg, MSG_NOSIGNAL));
}

static bool tcp_is_pending(const struct stream *s)
{
    (void)s;
    return false;
}

static void tcp_shutdown(struct stream *s)
{
    shutdown(s->fd, SHUT_WR);
}

static void tcp_free(struct stream *s)
{
    close(s->fd);
}

static const struct stream_ops tcp_ops = {
    .read = tcp_read,
    .write = tcp_write,
    .is_pending = tcp_is_pending,
    .shutdown = tcp_shutdown,
    .free = tcp_free,
};

void stream_tcp_init(struct stream *s, int fd)
{
    *s = (struct stream){.ops = &tcp_ops, .fd = fd};
}
