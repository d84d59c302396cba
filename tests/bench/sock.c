/* sock.c: see sock.h. */
#include "sock.h"
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL *new_tls(int fd)
{
    static SSL_CTX *context;
    if (!context) {
        context = SSL_CTX_new(TLS_client_method());
        if (!context)
            stop("no TLS");
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    }
    SSL *tls = SSL_new(context);
    if (!tls || !SSL_set_fd(tls, fd))
        stop("no TLS");
    SSL_set_connect_state(tls);
    return tls;
}

void sock_dial(struct sock *s, int port, bool tls, int epoll, void *data)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = data};
    int on = 1;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        stop("no socket: %s (ulimit -n?)", strerror(errno));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        stop("cannot connect: %s", strerror(errno));
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event) < 0)
        stop("epoll: %s", strerror(errno));
    s->tls = tls ? new_tls(s->fd) : NULL;
}

/* What OpenSSL says, as recv(2) would. */
static ssize_t tls_result(SSL *tls, int n)
{
    int error = SSL_get_error(tls, n);
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN
                                                                          : ECONNRESET;
    return -1;
}

int sock_connect(struct sock *s)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
        return -1;
    if (!s->tls)
        return 1;
    int n = SSL_connect(s->tls);
    if (n == 1)
        return 1;
    return tls_result(s->tls, n) < 0 && errno == EAGAIN ? 0 : -1;
}

ssize_t sock_read(struct sock *s, void *at, size_t size)
{
    if (!s->tls)
        return recv(s->fd, at, size, 0);
    size_t sum = 0;
    ssize_t n = 0;
    while (sum < size) { /* a record at a time */
        n = SSL_read(s->tls, (char *)at + sum, (int)(size - sum));
        if (n <= 0)
            break;
        sum += (size_t)n;
    }
    return sum > 0 ? (ssize_t)sum : tls_result(s->tls, (int)n);
}

bool sock_write(struct sock *s, const void *bytes, size_t len)
{
    if (s->tls)
        return SSL_write(s->tls, bytes, (int)len) == (int)len;
    return send(s->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

void sock_reset(struct sock *s)
{
    struct linger now = {.l_onoff = 1};
    if (s->fd < 0)
        return;
    SSL_free(s->tls);
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(s->fd);
    *s = (struct sock){.fd = -1};
}
