/* peer: the owner's part and the shard's, as simple as they can be. */
#include "peer.h"

#include "base/list.h"
#include "client.h"
#include "unit.h"

const struct bytes peer_request =
    LITERAL("GET /chat?x=1 HTTP/1.1\r\n"
            "Host: localhost:7272\r\n"
            "Upgrade: websocket\r\n"
            "Connection: keep-alive, Upgrade\r\n"
            "Sec-WebSocket-Key: zPDr6m4czzUdOFnsxIUEAw==\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "\r\n");
const struct bytes peer_response =
    LITERAL("HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: nSsCeIBUsFnDJCRb/BNlFzBUDpM=\r\n"
            "\r\n");

static void tell(struct peer *p, char what, struct bytes data)
{
    int n = snprintf(p->told + p->told_len, PEER_TOLD_MAX - p->told_len, "%c:%.*s ", what,
                     (int)data.len, (const char *)data.at);
    p->told_len += (size_t)n;
    assert_true(p->told_len < PEER_TOLD_MAX);
}

static int on_open(struct conn *c, struct bytes head, struct bytes protocol)
{
    assert_int_equal(protocol.len, 0);
    struct peer *p = LIST_ENTRY(c, struct peer, memory);
    const uint8_t *end = memchr(head.at, '\r', head.len);
    assert_true(p->conn == c);
    assert_non_null(end);
    assert_memory_equal(head.at + head.len - 4, "\r\n\r\n", 4);
    if (p->on_open == 0)
        tell(p, 'O', (struct bytes){head.at, (size_t)(end - head.at)});
    return p->on_open;
}

static int on_message(struct conn *c, struct bytes data, bool binary)
{
    struct peer *p = LIST_ENTRY(c, struct peer, memory);
    tell(p, binary ? 'B' : 'T', data);
    if (p->echo) {
        struct outframe *f = outframe_new(binary ? WS_BINARY : WS_TEXT, data);
        if (f)
            (void)conn_send(c, f);
        outframe_unref(f);
    }
    return p->on_message;
}

static int on_fault(struct conn *c, uint16_t code, struct bytes reason)
{
    struct peer *p = LIST_ENTRY(c, struct peer, memory);
    if (p->on_fault == 0 && !p->holds_faults)
        conn_close(c, code, reason);
    return p->on_fault;
}

static int on_request(struct conn *c, struct bytes head, struct bytes body)
{
    struct peer *p = LIST_ENTRY(c, struct peer, memory);
    assert_true(p->conn == c);
    assert_memory_equal(head.at + head.len - 4, "\r\n\r\n", 4);
    if (p->on_request == 0)
        tell(p, 'R', body);
    return p->on_request;
}

int peer_init(struct peer *p)
{
    static const struct log quiet = {0};
    static const struct addr from = {{127, 0, 0, 1}, 4242, ADDR_IPV4};
    memset(p, 0, sizeof *p);
    stream_memory_init(&p->stream);
    p->read_size = 512;
    quota_init(&p->sum, SIZE_MAX, 1);
    p->env = (struct conn_env){.http = {PEER_HEAD_MAX, 16},
                               .messages = {200, 4},
                               .queue_max = PEER_QUEUE_MAX,
                               .held = {.sum = &p->sum},
                               .stats = &p->stats,
                               .log = &quiet,
                               .ping = outframe_new(WS_PING, (struct bytes){0}),
                               .on_open = on_open,
                               .on_message = on_message,
                               .on_fault = on_fault,
                               .routes = bytes_of(PEER_ROUTES),
                               .body_max = PEER_BODY_MAX,
                               .on_request = on_request};
    if (!p->env.ping)
        return -1;
    p->conn = &p->memory;
    conn_init(p->conn, &p->env, &p->stream.stream, &from);
    return 0;
}

void peer_open(struct peer *p)
{
    assert_int_equal(peer_init(p), 0);
}

void peer_spend_sum(struct peer *p)
{
    atomic_store(&p->sum.left, 0);
    p->env.held.free = 0;
}

void peer_close(struct peer *p)
{
    conn_deinit(p->conn);
    assert_int_equal(p->env.held.used, 0);
    assert_int_equal(p->stream.freed, 1);
    assert_in_range(p->stream.fins, 0, 1);
    assert_false(p->stream.wrote_after);
    assert_int_equal(atomic_load(&p->env.ping->ref.count), 1);
    outframe_unref(p->env.ping);
}

/* Changes whenever a turn has done anything. */
static size_t progress(const struct peer *p)
{
    return p->stream.out_len + p->stream.reads.at + p->stream.writes.at -
           p->stream.in.len;
}

void peer_run(struct peer *p)
{
    size_t before;
    do {
        before = progress(p);
        if (conn_wants_read(p->conn) && p->stream.in.len) {
            static const uint8_t zeros[4096];
            uint8_t *scratch = guard_copy((struct bytes){zeros, p->read_size});
            conn_read(p->conn, scratch, p->read_size);
        }
        conn_flush(p->conn);
    } while (progress(p) != before && !conn_is_dead(p->conn));
}

void peer_say(struct peer *p, struct bytes bytes)
{
    assert_int_equal(p->stream.in.len, 0);
    p->stream.in = bytes;
    peer_run(p);
}

void peer_hang_up(struct peer *p, ssize_t how)
{
    uint8_t scratch[16];
    p->stream.reads = (struct memory_script){.rest = how};
    assert_false(conn_read(p->conn, scratch, sizeof scratch));
    conn_flush(p->conn);
}

void peer_upgrade(struct peer *p)
{
    peer_say(p, peer_request);
    assert_bytes_equal(peer_took(p), peer_response);
    assert_string_equal(p->told, "O:GET /chat?x=1 HTTP/1.1 ");
    assert_true(conn_is_open(p->conn));
    p->told[p->told_len = 0] = 0;
}

void peer_say_frame(struct peer *p, unsigned first, struct bytes payload)
{
    uint8_t out[512];
    assert_true(payload.len <= sizeof out - WS_HEADER_MAX);
    peer_say(p, (struct bytes){out, client_frame(out, first, payload)});
    p->stream.in.at = NULL;
}

enum send_result peer_send(struct peer *p, struct bytes text)
{
    struct outframe *f = outframe_new(WS_TEXT, text);
    assert_non_null(f);
    size_t waited = p->conn->out.count;
    enum send_result result = conn_send(p->conn, f);
    size_t refs = 1 + p->conn->out.count - waited;
    assert_int_equal(atomic_load(&f->ref.count), refs);
    assert_true(refs == 1 || result == SEND_OK);
    outframe_unref(f);
    return result;
}

struct bytes peer_took(struct peer *p)
{
    struct bytes took = bytes_skip(stream_memory_out(&p->stream), p->seen);
    p->seen = p->stream.out_len;
    return took;
}

void assert_over(const struct peer *p, uint16_t wanted, const char *why)
{
    uint16_t code;
    struct bytes reason;
    assert_true(conn_is_over(p->conn, &code, &reason));
    assert_int_equal(code, wanted);
    assert_bytes_equal(reason, bytes_of(why));
}

void assert_not_over(const struct peer *p)
{
    uint16_t code;
    struct bytes reason;
    assert_false(conn_is_over(p->conn, &code, &reason));
}
