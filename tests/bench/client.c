/* client.c: see client.h. */
#include "client.h"
#include "load.h"
#include "stats.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <zlib.h>

enum {
    READ_SIZE = 256 * 1024,
    FRAME_MAX = 4 * 1024 * 1024, /* the user_list of 10,000 is long */
    TEXT_MAX = 1024,             /* of what we send */
    EVENTS = 1024,
};

static struct {
    int epoll;
    struct handlers on;
    uint32_t key; /* of the next frame */
    uint8_t *bytes, *inflated;
    z_stream zlib;
} net = {.key = 0x9e3779b9};

void clients_init(struct handlers handlers)
{
    net.on = handlers;
    if (net.bytes)
        return;
    net.epoll = epoll_create1(EPOLL_CLOEXEC);
    net.bytes = malloc(FRAME_MAX + READ_SIZE);
    net.inflated = malloc(FRAME_MAX);
    if (net.epoll < 0 || !net.bytes || !net.inflated || inflateInit2(&net.zlib, -15))
        stop("out of memory");
}

/* --- out ----------------------------------------------------------------- */

void client_dial(struct client *c)
{
    c->state = CONNECTING;
    c->began_ns = clock_ns();
    c->rest_len = 0;
    sock_dial(&c->sock, options.port, options.tls, net.epoll, c);
}

static void send_upgrade(struct client *c)
{
    char path[32] = "/", request[512];
    if (options.dialect == PLAIN)
        snprintf(path, sizeof path, "/room/%d", c->id / options.members);
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
                       path,
                       options.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                         "server_no_context_takeover; "
                                         "client_no_context_takeover\r\n"
                                       : "");
    c->state = UPGRADING;
    if (!sock_write(&c->sock, request, (size_t)len))
        stop("client %d cannot send its request", c->id);
}

static bool send_frame(struct client *c, uint8_t opcode, const void *payload, size_t len)
{
    uint8_t frame[TEXT_MAX + 8], *at = frame;
    const uint8_t *from = payload;
    if (len > TEXT_MAX)
        stop("too long to send");
    net.key = net.key * 1664525 + 1013904223;
    *at++ = 0x80 | opcode;
    *at++ = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        *at++ = (uint8_t)(len >> 8);
        *at++ = (uint8_t)len;
    }
    const uint8_t *key = memcpy(at, &net.key, 4);
    at += 4;
    for (size_t i = 0; i < len; i++)
        *at++ = from[i] ^ key[i & 3];
    return sock_write(&c->sock, frame, (size_t)(at - frame));
}

bool client_send(struct client *c, const char *text, size_t len)
{
    return send_frame(c, 1, text, len);
}

bool client_close(struct client *c)
{
    c->state = CLOSING;
    return send_frame(c, 8, "\x03\xe8", 2);
}

void client_reset(struct client *c)
{
    sock_reset(&c->sock);
    free(c->rest);
    c->rest = NULL;
    c->rest_len = 0;
    c->state = GONE;
}

/* --- in ------------------------------------------------------------------ */

/* A compressed message; the server was asked to begin each one anew. Returns its text in
 * *len bytes. */
static const char *inflate_text(const uint8_t *payload, size_t *len)
{
    static uint8_t tail[] = {0, 0, 0xff, 0xff};
    union {
        const uint8_t *in;
        uint8_t *out;
    } borrowed = {payload}; /* zlib does not say const */
    inflateReset(&net.zlib);
    net.zlib.next_in = borrowed.out;
    net.zlib.avail_in = (uInt)*len;
    net.zlib.next_out = net.inflated;
    net.zlib.avail_out = FRAME_MAX;
    int result = inflate(&net.zlib, Z_SYNC_FLUSH);
    net.zlib.next_in = tail;
    net.zlib.avail_in = sizeof tail;
    if (result == Z_OK)
        result = inflate(&net.zlib, Z_SYNC_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        stop("a message is no DEFLATE");
    *len = FRAME_MAX - net.zlib.avail_out;
    return (const char *)net.inflated;
}

/* Returns the bytes of the frame at `at`, 0 if it is not all there. */
static size_t on_frame(struct client *c, const uint8_t *at, size_t len)
{
    size_t head = 2;
    uint64_t payload;
    if (len < 2)
        return 0;
    payload = at[1];
    if (payload == 126) {
        if (len < 4)
            return 0;
        payload = (uint64_t)at[2] << 8 | at[3];
        head = 4;
    } else if (payload == 127) {
        if (len < 10)
            return 0;
        for (payload = 0, head = 2; head < 10; head++)
            payload = payload << 8 | at[head];
    }
    if (payload > FRAME_MAX - 16)
        stop("client %d hears a frame of %llu bytes", c->id, (unsigned long long)payload);
    if (len - head < payload)
        return 0;
    size_t text_len = payload;
    const char *text = (const char *)at + head;
    switch (at[0]) {
    case 0xc1:
        text = inflate_text(at + head, &text_len);
        net.on.on_text(c, text, text_len);
        break;
    case 0x81:
        net.on.on_text(c, text, text_len);
        break;
    case 0x88:
        if (c->state != CLOSING)
            stop("client %d is closed with code %d", c->id,
                 payload < 2 ? 1005 : at[head] << 8 | at[head + 1]);
        break; /* the end comes next */
    case 0x89:
        send_frame(c, 10, text, text_len);
        break;
    default:
        stop("client %d hears a frame that begins with 0x%02x", c->id, at[0]);
    }
    return head + payload;
}

static size_t on_response(struct client *c, uint8_t *at, size_t len)
{
    const uint8_t *end = memmem(at, len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (strncmp((char *)at, "HTTP/1.1 101 ", 13) != 0)
        stop("client %d is refused: %.40s", c->id, (char *)at);
    if (options.deflate && !memmem(at, len, "permessage-deflate", 18))
        stop("the server does not compress");
    c->state = OPEN;
    net.on.on_open(c);
    return (size_t)(end + 4 - at);
}

/* What came; what of it is no whole frame waits for the rest. */
static void on_bytes(struct client *c, size_t len)
{
    size_t used = 0, n;
    if (c->state == UPGRADING && (used = on_response(c, net.bytes, len)) == 0)
        n = 0;
    else
        while (c->state != GONE && (n = on_frame(c, net.bytes + used, len - used)) > 0)
            used += n;
    if (c->state == GONE)
        return;
    c->rest_len = (uint32_t)(len - used);
    if (c->rest_len && !(c->rest = realloc(c->rest, c->rest_len)))
        stop("out of memory");
    if (c->rest_len)
        memcpy(c->rest, net.bytes + used, c->rest_len);
}

static void on_readable(struct client *c)
{
    if (c->rest_len)
        memcpy(net.bytes, c->rest, c->rest_len);
    ssize_t n = sock_read(&c->sock, net.bytes + c->rest_len, READ_SIZE);
    if (n > 0) {
        on_bytes(c, c->rest_len + (size_t)n);
        if (n == READ_SIZE && c->state != GONE)
            on_readable(c); /* TLS may have more, of which epoll does not know */
        return;
    }
    if (n < 0 && errno == EAGAIN)
        return;
    if (c->state != CLOSING)
        stop("client %d lost its connection", c->id);
    client_reset(c);
    net.on.on_end(c);
}

/* Through, or one step nearer: what remains to come has to be read. */
static void on_connecting(struct client *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int through = sock_connect(&c->sock);
    if (through < 0)
        stop("client %d cannot connect", c->id);
    epoll_ctl(net.epoll, EPOLL_CTL_MOD, c->sock.fd, &event);
    if (through > 0)
        send_upgrade(c);
}

void clients_turn(int64_t ns)
{
    struct epoll_event events[EVENTS];
    struct timespec wait = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    int n = epoll_pwait2(net.epoll, events, EVENTS, &wait, NULL);
    if (n < 0 && errno != EINTR)
        stop("epoll: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct client *c = events[i].data.ptr;
        if (c->state == CONNECTING)
            on_connecting(c);
        else if (c->state != GONE)
            on_readable(c);
    }
}
