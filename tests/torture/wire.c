/* wire: non-blocking sockets, and TLS over them that trusts everybody. */
#include "torture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

/* Every client has an address of its own, or nearly: ports do not run out. */
bool wire_dial(struct wire *w, int port, uint32_t number, int little)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f000001 + number % 65000)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(0x7f000001)};
    int on = 1;
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        stop("no socket: raise ulimit -n");
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (little)
        setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    return bind(w->fd, (struct sockaddr *)&from, sizeof from) == 0 &&
           (connect(w->fd, (struct sockaddr *)&to, sizeof to) == 0 ||
            errno == EINPROGRESS);
}

static SSL_CTX *context(void)
{
    static SSL_CTX *ctx;
    if (!ctx) {
        ctx = SSL_CTX_new(TLS_client_method());
        if (!ctx)
            stop("no TLS");
        SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    }
    return ctx;
}

bool wire_begin_tls(struct wire *w, bool old)
{
    w->ssl = SSL_new(context());
    if (!w->ssl || SSL_set_fd(w->ssl, w->fd) != 1)
        return false;
    if (old)
        SSL_set_max_proto_version(w->ssl, TLS1_2_VERSION);
    SSL_set_connect_state(w->ssl);
    return true;
}

/* What a call that returned `n` <= 0 means. */
static int result(const struct wire *w, int n)
{
    int error = SSL_get_error(w->ssl, n);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? WIRE_AGAIN
           : error == SSL_ERROR_ZERO_RETURN                              ? WIRE_END
                                                                         : WIRE_ERROR;
}

int wire_shake_hands(struct wire *w)
{
    int n = SSL_do_handshake(w->ssl);
    if (n == 1)
        return 1;
    return result(w, n) == WIRE_AGAIN ? WIRE_AGAIN : WIRE_ERROR;
}

bool wire_put_below(struct wire *w, const void *bytes, size_t len)
{
    return send(w->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* In two pieces, so far apart that the peer most likely reads the first alone. */
static bool put_in_two(struct wire *w, const uint8_t *bytes, size_t len)
{
    size_t cut = random_below((uint32_t)len);
    bool put = wire_put_below(w, bytes, cut);
    usleep(200);
    return put && wire_put_below(w, bytes + cut, len - cut);
}

/* The record that OpenSSL makes of it, in two pieces. */
static bool put_record_in_two(struct wire *w, const void *bytes, int len)
{
    BIO *socket = SSL_get_rbio(w->ssl), *record = BIO_new(BIO_s_mem());
    char *at;
    BIO_up_ref(socket);
    SSL_set0_wbio(w->ssl, record);
    bool put = SSL_write(w->ssl, bytes, len) == len;
    long whole = BIO_get_mem_data(record, &at);
    put = put && put_in_two(w, (uint8_t *)at, (size_t)whole);
    SSL_set0_wbio(w->ssl, socket);
    ERR_clear_error();
    return put;
}

bool wire_put(struct wire *w, const void *bytes, size_t len)
{
    bool twice = random_below(16) == 0;
    if (!w->ssl)
        return twice ? put_in_two(w, bytes, len) : wire_put_below(w, bytes, len);
    if (twice)
        return put_record_in_two(w, bytes, (int)len);
    int n = SSL_write(w->ssl, bytes, (int)len);
    if (n <= 0)
        ERR_clear_error();
    return n == (int)len;
}

ssize_t wire_take_below(struct wire *w, void *at, size_t len)
{
    ssize_t n = recv(w->fd, at, len, 0);
    return n >= 0 ? n : errno == EAGAIN ? WIRE_AGAIN : WIRE_ERROR;
}

/* A record fits into `len` bytes, so nothing is left where epoll does not see it. */
ssize_t wire_take(struct wire *w, void *at, size_t len)
{
    if (!w->ssl)
        return wire_take_below(w, at, len);
    int n = SSL_read(w->ssl, at, (int)len);
    return n > 0 ? n : result(w, n);
}

void wire_shut(struct wire *w)
{
    shutdown(w->fd, SHUT_WR);
}

void wire_close(struct wire *w, bool abruptly)
{
    struct linger now_or_never = {.l_onoff = 1};
    if (abruptly)
        setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now_or_never, sizeof now_or_never);
    else if (w->ssl && SSL_is_init_finished(w->ssl))
        SSL_shutdown(w->ssl);
    ERR_clear_error();
    SSL_free(w->ssl);
    close(w->fd);
    *w = (struct wire){.fd = -1};
}

size_t wire_write_hello(uint8_t *at, size_t size)
{
    SSL *ssl = SSL_new(context());
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!ssl || !in || !out)
        stop("out of memory");
    SSL_set_bio(ssl, in, out);
    SSL_connect(ssl);
    ERR_clear_error();
    int n = BIO_read(out, at, (int)size);
    SSL_free(ssl);
    return n > 0 ? (size_t)n : 0;
}
