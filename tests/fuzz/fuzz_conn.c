/* fuzz_conn: a whole peer over a stream in memory: reads and writes of any size,
 * timeouts, sends and closes at any moment, with or without an encryption that a PROXY
 * header may come in front of. The first bytes of the input choose. */
#include "fuzz.h"

#include "net/conn.h"
#include "net/page.h"
#include "wire/header.h"

enum { BODY_MAX = 64 };

struct memory {
    struct stream stream;
    struct bytes in;
    uint8_t chunk; /* largest read and write */
    bool is_stuck;
};

static ssize_t memory_read(struct stream *s, uint8_t *at, size_t len)
{
    struct memory *m = (struct memory *)(void *)s;
    size_t n = m->in.len < len ? m->in.len : len;
    if (n == 0)
        return STREAM_AGAIN;
    n = n > m->chunk ? m->chunk : n;
    memcpy(at, m->in.at, n);
    m->in = bytes_skip(m->in, n);
    return (ssize_t)n;
}

static ssize_t memory_read_raw(struct stream *s, uint8_t *at, size_t len, bool peek)
{
    struct bytes before = ((struct memory *)(void *)s)->in;
    ssize_t n = memory_read(s, at, len);
    if (peek)
        ((struct memory *)(void *)s)->in = before;
    return n;
}

static ssize_t memory_write(struct stream *s, const struct iovec *iov, int count)
{
    struct memory *m = (struct memory *)(void *)s;
    if (m->is_stuck || count == 0)
        return STREAM_AGAIN;
    REQUIRE(iov[0].iov_len > 0);
    return (ssize_t)(iov[0].iov_len < m->chunk ? iov[0].iov_len : m->chunk);
}

static bool memory_is_pending(const struct stream *s)
{
    return ((const struct memory *)(const void *)s)->in.len > 0;
}

static void memory_nothing(struct stream *s)
{
    (void)s;
}

static const struct stream_ops memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .is_pending = memory_is_pending,
    .shutdown = memory_nothing,
    .free = memory_nothing,
};

static const struct stream_ops wrapped_ops = {
    .read = memory_read,
    .read_raw = memory_read_raw,
    .write = memory_write,
    .is_pending = memory_is_pending,
    .shutdown = memory_nothing,
    .free = memory_nothing,
};

static int take_open(struct conn *c, struct bytes head, struct bytes protocol)
{
    (void)c, (void)protocol;
    REQUIRE(head.len > 0);
    return 0;
}

static int echo(struct conn *c, struct bytes data, bool binary)
{
    struct outframe *f = outframe_new(binary ? WS_BINARY : WS_TEXT, data);
    REQUIRE(f);
    (void)conn_send(c, f);
    outframe_unref(f);
    return 0;
}

/* The rules are asked for a Close: they say it at once, or when it happens, or are not to
 * be had. */
static int take_fault(struct conn *c, uint16_t code, struct bytes reason)
{
    if (code == WS_CLOSE_BAD_DATA)
        conn_close(c, code, reason);
    return code == WS_CLOSE_TOO_BIG ? -1 : 0;
}

static int take_request(struct conn *c, struct bytes head, struct bytes body)
{
    (void)c;
    REQUIRE(head.len > 0 && body.len <= BODY_MAX);
    return body.len == 7 ? -1 : 0;
}

static bool take_client(struct conn *c, const struct addr *client)
{
    (void)c;
    return client->port != 13;
}

/* One of the things that can happen to a peer between two reads. */
static void happen(struct conn *c, struct conn_env *env, struct memory *m, uint8_t what)
{
    switch (what & 15) {
    case 6:
        conn_respond(c, &(struct answer){.status = what & 16 ? 200 : 404,
                                         .body = bytes_of("answer")});
        break;
    case 7:
        conn_give_up_request(c, what & 16);
        break;
    case 1:
        conn_timeout(c);
        break;
    case 2:
        m->is_stuck = !m->is_stuck;
        break;
    case 3:
        conn_close(c, WS_CLOSE_NORMAL, bytes_of("bye"));
        break;
    case 4:
        env->drop_when_slow = what & 16;
        conn_too_slow(c, env->ping);
        break;
    case 5:
        conn_pause(c, what & 16);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stats stats;
    static const struct log log = {0};
    static uint8_t scratch[4096];
    struct bytes in = {data, size};
    struct memory m = {.stream = {.ops = &memory_ops, .fd = -1}};
    struct cidr trusted = {.addr = {.family = ADDR_UNIX}};
    struct addr from = {.family = ADDR_UNIX};
    struct quota sum;
    quota_init(&sum, 16384, 1);
    struct conn_env env = {
        .http = {2048, 32},
        .messages = {4096, 16},
        .queue_max = 8192,
        .held = {.sum = &sum},
        .messages_a_second = 50,
        .trusted = &trusted,
        .trusted_count = 1,
        .stats = &stats,
        .log = &log,
        .deflate = deflate_new(16),
        .ping = outframe_new(WS_PING, (struct bytes){0}),
        .protocols = bytes_of(",chat"),
        .on_open = take_open,
        .on_message = echo,
        .on_fault = take_fault,
        .on_client = take_client,
        .routes = bytes_of("POST /hook\nGET /hook\n"),
        .body_max = BODY_MAX,
        .on_request = take_request,
    };
    m.chunk = (uint8_t)(1 + fuzz_byte(&in));
    uint8_t events = fuzz_byte(&in);
    m.in = in;
    m.stream.ops = events & 1 ? &wrapped_ops : &memory_ops;
    REQUIRE(m.chunk || (m.chunk = 255));
    struct conn memory, *c = &memory;
    conn_init(c, &env, &m.stream, &from);
    REQUIRE(env.ping && env.deflate);
    uint16_t code;
    struct bytes reason;
    for (int i = 0; i < 4096 && !conn_is_dead(c) && m.in.len; i++) {
        (void)conn_read(c, scratch, sizeof scratch);
        conn_flush(c);
        if (events && i % 7 == 6)
            happen(c, &env, &m, m.in.len ? m.in.at[0] ^ events : events);
        env.now_ms += 3;
        bool restarted;
        (void)conn_wait(c, &restarted);
        if (!conn_wants_read(c) && !conn_wants_write(c))
            conn_pause(c, false);
    }
    if (conn_is_over(c, &code, &reason))
        REQUIRE(code >= 1000 && code < 5000 && reason.len <= 123);
    conn_deinit(c);
    REQUIRE(env.held.used == 0);
    outframe_unref(env.ping);
    deflate_free(env.deflate);
    return 0;
}
