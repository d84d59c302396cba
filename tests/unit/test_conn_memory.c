/* conn: memory that is out at any point of a life, and what an idle conn owns. */
#include "client.h"
#include "peer.h"
#include "unit.h"

/* Runs one life in which the `n`th allocation fails, whatever that makes of it: it ends
 * all the same, tells its owner of an end if it told of a beginning, and leaves nothing
 * behind. Returns false when there were fewer allocations. */
static bool live_without(size_t n, void (*life)(struct peer *))
{
    struct peer p;
    alloc_fail_at(n);
    if (peer_init(&p) == 0) {
        life(&p);
        if (!conn_is_dead(p.conn))
            peer_hang_up(&p, STREAM_END);
        assert_true(conn_is_dead(p.conn));
        uint16_t code;
        struct bytes reason;
        bool opened = strncmp(p.told, "O:", 2) == 0;
        assert_int_equal(conn_is_over(p.conn, &code, &reason), opened);
        assert_true(!opened || code >= 1000);
        peer_close(&p);
    }
    bool failed = alloc_has_failed();
    assert_int_equal(alloc_live(), 0);
    alloc_fail_at(0);
    return failed;
}

static void fails_anywhere(void (*life)(struct peer *), size_t at_least)
{
    size_t n = 1;
    while (live_without(n, life))
        n++;
    assert_true(n > at_least);
}

/* Says `bytes` if anyone listens. */
static void say(struct peer *p, struct bytes bytes)
{
    if (!conn_is_dead(p->conn) && conn_wants_read(p->conn))
        peer_say(p, bytes);
    p->stream.in.len = 0;
}

static void say_frame(struct peer *p, unsigned first, struct bytes payload)
{
    uint8_t out[256];
    say(p, (struct bytes){out, client_frame(out, first, payload)});
}

static void websocket_life(struct peer *p)
{
    p->echo = true;
    say(p, peer_request);
    say_frame(p, FIN | WS_TEXT, BYTES("hello"));
    say_frame(p, WS_TEXT, BYTES("wor"));
    say_frame(p, FIN | WS_PING, BYTES("p"));
    say_frame(p, FIN, BYTES("ld"));
    conn_timeout(p->conn);
    peer_run(p);
    say_frame(p, FIN | WS_PONG, BYTES(""));
    say_frame(p, FIN | WS_CLOSE,
              BYTES("\x0F\xA0"
                    "bye"));
}

/* The same in parts, so that everything is kept for a while. */
static void websocket_life_in_parts(struct peer *p)
{
    p->read_size = 7;
    p->stream.writes.rest = 3;
    websocket_life(p);
}

static void pipelined_life(struct peer *p)
{
    p->echo = true;
    p->read_size = 100;
    say(p, BYTES("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                 "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: zPDr6m4czzUdOFnsxIUEAw==\r\n\r\n"
                 "\x81\x85\0\0\0\0hello\x81\x85\0\0\0\0hello\x81\x85\0\0"));
}

static void refused_life(struct peer *p)
{
    say(p, BYTES("POST / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void late_life(struct peer *p)
{
    say(p, BYTES("POST / HTTP/1.1\r\nHo"));
    conn_timeout(p->conn);
    peer_run(p);
}

static void slow_life(struct peer *p)
{
    p->echo = true;
    say(p, peer_request);
    p->stream.writes.rest = STREAM_AGAIN;
    for (int i = 0; i < 12; i++)
        say_frame(p, FIN | WS_TEXT, BYTES("hello"));
    conn_too_slow(p->conn, p->env.ping);
    p->stream.writes.rest = MEMORY_ALL;
    peer_run(p);
}

static void closed_life(struct peer *p)
{
    say(p, peer_request);
    conn_close(p->conn, 1001, BYTES("bye"));
    peer_run(p);
    say_frame(p, FIN | 3, BYTES(""));
}

static const struct row {
    const char *name;
    void (*life)(struct peer *);
    size_t at_least; /* allocations */
} rows[] = {
    {"conn_without_memory_ends_a_websocket_life", websocket_life, 9},
    {"conn_without_memory_ends_a_life_in_parts", websocket_life_in_parts, 12},
    {"conn_without_memory_ends_a_pipelined_life", pipelined_life, 7},
    {"conn_without_memory_ends_a_refused_life", refused_life, 2},
    {"conn_without_memory_ends_a_late_life", late_life, 2},
    {"conn_without_memory_ends_a_slow_life", slow_life, 11},
    {"conn_without_memory_ends_a_closed_life", closed_life, 5},
};

static void ends_without_memory(void **state)
{
    const struct row *row = *state;
    fails_anywhere(row->life, row->at_least);
}

static void conn_without_memory_ends_in_silence(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    alloc_fail_at(1);
    conn_close(p.conn, 1000, BYTES(""));
    alloc_fail_at(0);
    peer_run(&p);
    assert_true(conn_is_dead(p.conn));
    assert_bytes_equal(peer_took(&p), BYTES(""));
    assert_over(&p, 1000, ""); /* as it was meant */
    peer_close(&p);
}

/* The reason is let go first, then the Close frame, and with it the peer. */
static void conn_without_memory_for_its_close_is_dead(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 2; n++) {
        struct peer p;
        peer_open(&p);
        peer_upgrade(&p);
        alloc_fail_at(n);
        conn_too_slow(p.conn, p.env.ping);
        alloc_fail_at(0);
        assert_int_equal(conn_is_dead(p.conn), n == 2);
        assert_over(&p, 1013, n == 1 ? "" : "too slow");
        peer_run(&p);
        assert_int_equal(peer_took(&p).len, n == 1 ? 12 : 0);
        peer_close(&p);
    }
}

static void conn_that_is_idle_owns_nothing_but_itself(void **state)
{
    (void)state;
    struct peer p;
    alloc_fail_at(0);
    peer_open(&p);
    size_t at_first = alloc_live();
    peer_upgrade(&p);
    assert_int_equal(alloc_live(), at_first);
    p.read_size = 5;
    for (int i = 0; i < 3; i++) {
        peer_say_frame(&p, FIN | WS_TEXT, BYTES("a message in parts"));
        peer_say_frame(&p, FIN | WS_PING, BYTES("a ping in parts"));
        assert_int_equal(peer_send(&p, BYTES("hello")), SEND_OK);
        peer_run(&p);
    }
    assert_int_equal(alloc_live(), at_first);
    peer_close(&p);
    assert_int_equal(alloc_live(), 0);
}

static void conn_keeps_nothing_of_an_answered_request(void **state)
{
    (void)state;
    struct peer p;
    alloc_fail_at(0);
    peer_open(&p);
    size_t at_first = alloc_live();
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(alloc_live(), at_first);
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(conn_without_memory_ends_in_silence),
        cmocka_unit_test(conn_without_memory_for_its_close_is_dead),
        cmocka_unit_test(conn_that_is_idle_owns_nothing_but_itself),
        cmocka_unit_test(conn_keeps_nothing_of_an_answered_request),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, rows, ends_without_memory), others, sizeof others);
    return cmocka_run_group_tests_name("conn memory", tests, NULL, NULL);
}
