/* conn: from the upgrade to the last byte, over any split of what comes and what goes. */
#include "client.h"
#include "peer.h"
#include "unit.h"

/* A whole life: the request, messages, a ping within one, the Close. */
static struct bytes whole_life(void)
{
    static uint8_t in[2048];
    size_t n = peer_request.len;
    memcpy(in, peer_request.at, n);
    n += client_frame(in + n, FIN | WS_TEXT, BYTES("hello"));
    n += client_frame(in + n, WS_TEXT, BYTES("wor"));
    n += client_frame(in + n, FIN | WS_PING, BYTES("p"));
    n += client_frame(in + n, FIN, BYTES("ld"));
    n += client_frame(in + n, FIN | WS_BINARY, BYTES("\xFF"));
    n += client_frame(in + n, FIN | WS_CLOSE,
                      BYTES("\x0F\xA0"
                            "bye"));
    return (struct bytes){in, n};
}

static const char life_told[] = "O:GET /chat?x=1 HTTP/1.1 T:hello T:world B:\xFF ";
static const char life_took[] =
    "\x81\x05hello\x8A\x01p\x81\x05world\x82\x01\xFF\x88\x02\x0F\xA0";

/* The peer has sent the whole life and taken all answers. */
static void assert_lived(struct peer *p)
{
    assert_string_equal(p->told, life_told);
    struct bytes took = peer_took(p);
    assert_int_equal(took.len, peer_response.len + sizeof life_took - 1);
    assert_memory_equal(took.at, peer_response.at, peer_response.len);
    assert_memory_equal(took.at + peer_response.len, life_took, sizeof life_took - 1);
    assert_over(p, 4000, "bye");
    assert_int_equal(p->stream.fins, 1);
    assert_false(conn_is_dead(p->conn));
    assert_false(conn_wants_write(p->conn));
    peer_hang_up(p, STREAM_END);
    assert_true(conn_is_dead(p->conn));
    assert_int_equal(stats_read(&p->stats.messages_in), 3);
}

static void conn_lives_at_every_split_of_what_comes(void **state)
{
    (void)state;
    struct bytes in = whole_life();
    for (size_t cut = 1; cut <= in.len; cut++) {
        struct peer p;
        ssize_t steps[] = {(ssize_t)cut};
        peer_open(&p);
        p.echo = true;
        p.read_size = 2048;
        p.stream.reads = (struct memory_script){steps, 1, 0, MEMORY_ALL};
        peer_say(&p, in);
        assert_lived(&p);
        peer_close(&p);
    }
}

static void conn_lives_on_parts_of_every_size(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 64; size++) {
        struct peer p;
        peer_open(&p);
        p.echo = true;
        p.read_size = size;
        peer_say(&p, whole_life());
        assert_lived(&p);
        peer_close(&p);
    }
}

static void conn_lives_when_the_socket_takes_little(void **state)
{
    (void)state;
    for (ssize_t size = 1; size <= 64; size++) {
        struct peer p;
        peer_open(&p);
        p.echo = true;
        p.stream.writes.rest = size;
        peer_say(&p, whole_life());
        assert_lived(&p);
        peer_close(&p);
    }
}

/* Every other write finds the socket full; between them goes one byte. */
static void conn_lives_when_the_socket_is_often_full(void **state)
{
    (void)state;
    static ssize_t steps[1000];
    for (size_t i = 0; i < COUNT(steps); i++)
        steps[i] = i % 2 ? 1 : STREAM_AGAIN;
    for (size_t size = 1; size <= 64; size += 9) {
        struct peer p;
        peer_open(&p);
        p.echo = true;
        p.read_size = size;
        p.stream.writes = (struct memory_script){steps, COUNT(steps), 0, MEMORY_ALL};
        peer_say(&p, whole_life());
        assert_lived(&p);
        peer_close(&p);
    }
}

static void conn_writes_all_that_waits_at_once(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    size_t calls = p.stream.write_calls;
    for (int i = 0; i < 20; i++)
        assert_int_equal(peer_send(&p, BYTES("x")), SEND_OK);
    assert_int_equal(p.stream.write_calls, calls); /* sending never writes */
    conn_flush(p.conn);
    assert_int_equal(p.stream.write_calls, calls + 1);
    assert_int_equal(peer_took(&p).len, 60);
    peer_close(&p);
}

static void conn_wants_to_write_only_while_something_waits(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    assert_false(conn_wants_write(p.conn));
    peer_upgrade(&p);
    assert_false(conn_wants_write(p.conn));
    p.stream.writes.rest = STREAM_AGAIN;
    assert_int_equal(peer_send(&p, BYTES("x")), SEND_OK);
    conn_flush(p.conn);
    assert_true(conn_wants_write(p.conn));
    assert_true(conn_wants_read(p.conn));
    p.stream.writes.rest = MEMORY_ALL;
    conn_flush(p.conn);
    assert_false(conn_wants_write(p.conn));
    assert_bytes_equal(peer_took(&p), BYTES("\x81\x01x"));
    peer_close(&p);
}

static void conn_knows_where_its_peer_comes_from(void **state)
{
    (void)state;
    struct peer p;
    char text[ADDR_TEXT_MAX];
    peer_open(&p);
    assert_string_equal(addr_text(conn_addr(p.conn), text), "127.0.0.1:4242");
    peer_close(&p);
}

static void conn_tells_when_more_waits_inside_the_stream(void **state)
{
    (void)state;
    struct peer p;
    uint8_t scratch[8];
    peer_open(&p);
    p.stream.pending = true;
    p.stream.in = BYTES("GET /healthz");
    assert_true(conn_read(p.conn, scratch, sizeof scratch));
    assert_false(conn_read(p.conn, scratch, sizeof scratch));
    assert_false(conn_read(p.conn, scratch, sizeof scratch)); /* AGAIN */
    assert_false(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_answers_pings_with_their_payload(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    peer_say_frame(&p, FIN | WS_PING, BYTES("abc"));
    assert_bytes_equal(peer_took(&p), BYTES("\x8A\x03"
                                            "abc"));
    peer_say_frame(&p, FIN | WS_PONG, BYTES("abc"));
    assert_bytes_equal(peer_took(&p), BYTES(""));
    peer_close(&p);
}

static void conn_reads_nothing_while_paused(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    conn_pause(p.conn, true);
    assert_false(conn_wants_read(p.conn));
    p.stream.in = BYTES("\x81\x81\0\0\0\0x");
    peer_run(&p);
    assert_string_equal(p.told, "");
    assert_int_equal(peer_send(&p, BYTES("y")), SEND_OK);
    peer_run(&p);
    assert_bytes_equal(peer_took(&p), BYTES("\x81\x01y"));
    conn_pause(p.conn, false);
    peer_run(&p);
    assert_string_equal(p.told, "T:x ");
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn_lives_at_every_split_of_what_comes),
        cmocka_unit_test(conn_lives_on_parts_of_every_size),
        cmocka_unit_test(conn_lives_when_the_socket_takes_little),
        cmocka_unit_test(conn_lives_when_the_socket_is_often_full),
        cmocka_unit_test(conn_writes_all_that_waits_at_once),
        cmocka_unit_test(conn_wants_to_write_only_while_something_waits),
        cmocka_unit_test(conn_knows_where_its_peer_comes_from),
        cmocka_unit_test(conn_tells_when_more_waits_inside_the_stream),
        cmocka_unit_test(conn_answers_pings_with_their_payload),
        cmocka_unit_test(conn_reads_nothing_while_paused),
    };
    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
