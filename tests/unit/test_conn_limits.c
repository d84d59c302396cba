/* conn: peers that do not take what is sent to them, or do not answer in time. */
#include "client.h"
#include "peer.h"
#include "unit.h"

enum { TEXT = 98, FRAME = TEXT + 2, FIT = PEER_QUEUE_MAX / FRAME }; /* ten fit exactly */

static const char text[TEXT + 1] = "01234567890123456789012345678901234567890123456789"
                                   "012345678901234567890123456789012345678901234567";

/* An upgraded peer that takes `steps`' worth of bytes from here on and then none. */
static void open_slow(struct peer *p)
{
    peer_open(p);
    peer_upgrade(p);
    p->stream.writes.rest = STREAM_AGAIN;
}

static void fill(struct peer *p)
{
    for (int i = 0; i < FIT; i++)
        assert_int_equal(peer_send(p, bytes_of(text)), SEND_OK);
}

static enum conn_wait wait_of(struct peer *p)
{
    bool restarted;
    return conn_wait(p->conn, &restarted);
}

static bool is_restarted(struct peer *p)
{
    bool restarted;
    (void)conn_wait(p->conn, &restarted);
    return restarted;
}

/* --- the queue ----------------------------------------------------------- */

static void conn_send_is_full_at_the_cap(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    fill(&p);
    assert_int_equal(peer_send(&p, BYTES("")), SEND_FULL);
    assert_int_equal(peer_send(&p, bytes_of(text)), SEND_FULL);
    assert_true(conn_is_open(p.conn)); /* what to do is the owner's choice */
    conn_flush(p.conn);
    assert_int_equal(peer_send(&p, BYTES("")), SEND_FULL);
    p.stream.writes.rest = MEMORY_ALL;
    conn_flush(p.conn);
    assert_int_equal(peer_took(&p).len, PEER_QUEUE_MAX); /* not a byte of the refused */
    peer_close(&p);
}

static void conn_send_has_room_as_bytes_leave(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    fill(&p);
    static const ssize_t steps[] = {1, STREAM_AGAIN, FRAME - 2, STREAM_AGAIN, 1};
    p.stream.writes = (struct memory_script){steps, COUNT(steps), 0, STREAM_AGAIN};
    conn_flush(p.conn);
    assert_int_equal(peer_send(&p, bytes_of(text)), SEND_FULL);
    conn_flush(p.conn);
    assert_int_equal(peer_send(&p, bytes_of(text)), SEND_FULL); /* one byte short */
    conn_flush(p.conn);
    assert_int_equal(peer_send(&p, bytes_of(text)), SEND_OK);
    assert_int_equal(peer_send(&p, BYTES("")), SEND_FULL);
    peer_close(&p);
}

static void conn_too_slow_drops_what_has_not_begun_to_leave(void **state)
{
    (void)state;
    for (ssize_t left = 0; left <= 2 * FRAME; left++) {
        struct peer p;
        ssize_t steps[] = {left ? left : STREAM_AGAIN};
        open_slow(&p);
        p.stream.writes = (struct memory_script){steps, 1, 0, STREAM_AGAIN};
        fill(&p);
        conn_flush(p.conn);
        conn_too_slow(p.conn, p.env.ping);
        assert_over(&p, 1013, "too slow");
        p.stream.writes.rest = MEMORY_ALL;
        peer_run(&p);
        struct bytes took = peer_took(&p);
        size_t frames = ((size_t)left + FRAME - 1) / FRAME; /* those begun end whole */
        assert_int_equal(took.len, frames * FRAME + 12);
        assert_bytes_equal(bytes_skip(took, frames * FRAME),
                           BYTES("\x88\x0A\x03\xF5too slow"));
        assert_int_equal(p.stream.fins, 1);
        peer_close(&p);
    }
}

static void conn_close_goes_out_beyond_the_cap(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    fill(&p);
    conn_close(p.conn, 1000, BYTES(""));
    p.stream.writes.rest = MEMORY_ALL;
    peer_run(&p);
    assert_int_equal(peer_took(&p).len, PEER_QUEUE_MAX + 4);
    peer_close(&p);
}

static void conn_ends_who_pings_and_takes_no_pongs(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    for (int i = 0; i < PEER_QUEUE_MAX / 2; i++) { /* a pong of two bytes each */
        assert_true(conn_is_open(p.conn));
        peer_say_frame(&p, FIN | WS_PING, BYTES(""));
    }
    assert_true(conn_is_open(p.conn));
    peer_say_frame(&p, FIN | WS_PING, BYTES(""));
    assert_over(&p, 1013, "too slow");
    peer_close(&p);
}

static void conn_echoes_the_close_of_a_slow_peer(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    fill(&p);
    peer_say_frame(&p, FIN | WS_CLOSE, BYTES("\x03\xE8"));
    assert_over(&p, 1000, "");
    assert_int_equal(p.stream.fins, 0); /* not before all has left */
    assert_int_equal(wait_of(&p), CONN_WAIT_CLOSE);
    p.stream.writes.rest = MEMORY_ALL;
    peer_run(&p);
    assert_int_equal(peer_took(&p).len, PEER_QUEUE_MAX + 4);
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

/* --- the sum over all peers ------------------------------------------------ */

static void conn_with_nothing_waiting_is_served_past_a_spent_sum(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    peer_spend_sum(&p);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(peer_send(&p, bytes_of(text)), SEND_OK);
        assert_int_equal(peer_took(&p).len, FRAME); /* without a turn */
        assert_int_equal(p.env.held.used, 0);
    }
    assert_true(conn_is_open(p.conn));
    peer_close(&p);
}

static void conn_whose_socket_takes_nothing_is_slow_once_the_sum_is_spent(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    peer_spend_sum(&p);
    assert_int_equal(peer_send(&p, bytes_of(text)), SEND_FULL);
    assert_int_equal(p.env.held.used, 0);
    conn_too_slow(p.conn, p.env.ping);
    assert_int_equal(atomic_load(&p.stats.limits[LIMIT_QUEUED].times), 1);
    p.stream.writes.rest = MEMORY_ALL;
    peer_run(&p);
    assert_bytes_equal(peer_took(&p), BYTES("\x88\x0A\x03\xF5too slow"));
    peer_close(&p);
}

static void conn_that_takes_half_a_frame_ends_once_the_sum_is_spent(void **state)
{
    (void)state;
    static const ssize_t steps[] = {FRAME / 2};
    struct peer p;
    open_slow(&p);
    peer_spend_sum(&p);
    p.stream.writes = (struct memory_script){steps, 1, 0, STREAM_AGAIN};
    assert_int_equal(peer_send(&p, bytes_of(text)), SEND_GONE);
    assert_true(conn_is_dead(p.conn));
    assert_int_equal(p.env.held.used, 0);
    assert_int_equal(atomic_load(&p.stats.slow_closed), 1);
    peer_close(&p);
}

static void conn_never_holds_more_than_the_sum(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    quota_init(&p.sum, 400, 1);
    p.env.held = (struct quota_share){.sum = &p.sum};
    int sent = 0;
    while (peer_send(&p, bytes_of(text)) == SEND_OK)
        assert_true(++sent < 4); /* each costs more than its bytes */
    assert_true(sent > 0);
    assert_in_range(p.env.held.used, sent * FRAME, 400);
    peer_close(&p);
}

static void conn_holds_a_frame_until_its_last_byte_has_left(void **state)
{
    (void)state;
    static const ssize_t steps[] = {FRAME - 1, STREAM_AGAIN, 1};
    struct peer p;
    open_slow(&p);
    p.stream.writes = (struct memory_script){steps, COUNT(steps), 0, STREAM_AGAIN};
    assert_int_equal(peer_send(&p, bytes_of(text)), SEND_OK);
    int64_t held = p.env.held.used;
    conn_flush(p.conn);
    assert_int_equal(p.env.held.used, held);
    conn_flush(p.conn);
    assert_int_equal(p.env.held.used, 0);
    peer_close(&p);
}

/* --- dropping ------------------------------------------------------------ */

/* A peer with a full queue at the time of its ping, which loses messages rather than its
 * connection. */
static void open_dropping(struct peer *p)
{
    open_slow(p);
    p->env.drop_when_slow = true;
    fill(p);
    conn_timeout(p->conn);
    assert_true(conn_is_open(p->conn));
    assert_int_equal(wait_of(p), CONN_WAIT_PONG);
}

static void conn_that_drops_survives_a_ping_and_a_pong_that_do_not_fit(void **state)
{
    (void)state;
    static const ssize_t one[] = {1};
    struct peer p;
    open_dropping(&p);
    peer_say_frame(&p, FIN | WS_PING, BYTES("there?"));
    assert_true(conn_is_open(p.conn));
    p.stream.writes = (struct memory_script){one, 1, 0, STREAM_AGAIN};
    conn_flush(p.conn); /* a byte left: it reads */
    conn_timeout(p.conn);
    assert_true(conn_is_open(p.conn));
    assert_int_equal(wait_of(&p), CONN_WAIT_PING);
    peer_close(&p);
}

static void conn_that_drops_ends_when_its_full_queue_does_not_move(void **state)
{
    (void)state;
    struct peer p;
    open_dropping(&p);
    conn_flush(p.conn);
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    assert_int_equal(atomic_load(&p.stats.limits[LIMIT_PING_TIMEOUT].times), 1);
    peer_close(&p);
}

/* A large message in front of the ping takes a slow reader longer than a pong may. */
static void conn_survives_a_ping_that_waits_behind_a_message(void **state)
{
    (void)state;
    static const ssize_t some[] = {10, STREAM_AGAIN, 1};
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    p.stream.writes = (struct memory_script){some, 3, 0, STREAM_AGAIN};
    assert_int_equal(peer_send(&p, bytes_of(text)), SEND_OK);
    conn_flush(p.conn);
    conn_timeout(p.conn);
    conn_flush(p.conn); /* a byte of the message left: it reads */
    conn_timeout(p.conn);
    assert_true(conn_is_open(p.conn));
    assert_int_equal(wait_of(&p), CONN_WAIT_PING);
    conn_timeout(p.conn);
    conn_flush(p.conn); /* none did */
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_that_took_its_ping_has_to_answer_it(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    p.env.drop_when_slow = true;
    conn_timeout(p.conn);
    conn_flush(p.conn); /* the ping has left, which says nothing of its peer */
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

/* --- what comes in ---------------------------------------------------------- */

static void conn_counts_a_message_in_part(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    int64_t at_first = p.env.held.used;
    peer_say_frame(&p, WS_TEXT, bytes_of(text));
    assert_true(p.env.held.used >= at_first + TEXT);
    peer_say_frame(&p, FIN, BYTES(""));
    assert_int_equal(p.env.held.used, at_first);
    peer_close(&p);
}

static void conn_closes_1013_a_message_in_part_when_the_sum_is_spent(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    peer_spend_sum(&p);
    peer_say_frame(&p, FIN | WS_TEXT, BYTES("whole")); /* is not kept */
    assert_string_equal(p.told, "T:whole ");
    peer_say_frame(&p, WS_TEXT, bytes_of(text));
    assert_over(&p, 1013, "too busy, try again later");
    assert_int_equal(stats_read(&p.stats.limits[LIMIT_QUEUED].times), 1);
    assert_true(p.env.held.used < 64); /* the Close has left, nothing is kept */
    peer_close(&p);
}

static void conn_counts_a_head_in_part_and_what_follows_a_request(void **state)
{
    (void)state;
    static const char *const ins[] = {"GET / HTTP/1.1\r\n",
                                      "GET /hook HTTP/1.1\r\nHost: a\r\n\r\nGET / HT"};
    for (size_t i = 0; i < COUNT(ins); i++) {
        struct peer p;
        peer_open(&p);
        peer_say(&p, bytes_of(ins[i]));
        assert_in_range(p.env.held.used, 8, 256);
        peer_close(&p);
    }
}

static void conn_refuses_with_503_a_head_in_part_when_the_sum_is_spent(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_spend_sum(&p);
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")); /* is not kept */
    assert_memory_equal(peer_took(&p).at, "HTTP/1.1 200 ", 13);
    peer_say(&p, BYTES("GET / HTTP/1.1\r\n"));
    assert_memory_equal(peer_took(&p).at, "HTTP/1.1 503 ", 13);
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

/* The request in hand is answered; the next one has to come again on another line. */
static void conn_forgets_what_follows_a_request_when_the_sum_is_spent(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES("GET /hook HTTP/1.1\r\nHost: a\r\n\r\n"));
    peer_spend_sum(&p);
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(conn_wants_read(p.conn));
    conn_respond(p.conn, &(struct answer){.status = 200, .body = BYTES("it")});
    peer_run(&p);
    struct bytes took = peer_took(&p);
    assert_non_null(memmem(took.at, took.len, "Connection: close", 17));
    assert_memory_equal(took.at + took.len - 6, "\r\n\r\nit", 6);
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

/* --- time ---------------------------------------------------------------- */

static void conn_without_a_request_ends_silently(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    assert_int_equal(wait_of(&p), CONN_WAIT_HEAD);
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    assert_bytes_equal(peer_took(&p), BYTES(""));
    assert_not_over(&p);
    peer_close(&p);
}

static void conn_with_half_a_request_is_told_408(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES("GET / HTT"));
    conn_timeout(p.conn);
    peer_run(&p);
    struct bytes took = peer_took(&p);
    assert_memory_equal(took.at, "HTTP/1.1 408 Request Timeout\r\n", 30);
    assert_int_equal(p.stream.fins, 1);
    assert_int_equal(wait_of(&p), CONN_WAIT_CLOSE);
    conn_timeout(p.conn); /* nor does it say FIN */
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_gives_no_more_time_to_a_head_that_trickles(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    assert_true(is_restarted(&p));
    assert_false(is_restarted(&p));
    for (size_t i = 0; i + 1 < peer_request.len; i++) {
        peer_say(&p, (struct bytes){peer_request.at + i, 1});
        assert_false(is_restarted(&p));
    }
    peer_say(&p, BYTES("\n"));
    assert_true(is_restarted(&p));
    assert_int_equal(wait_of(&p), CONN_WAIT_PING);
    peer_close(&p);
}

static void conn_gives_no_more_time_for_empty_lines(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    assert_true(is_restarted(&p));
    for (int i = 0; i < 10; i++)
        peer_say(&p, BYTES("\r\n"));
    assert_false(is_restarted(&p));
    peer_close(&p);
}

static void conn_is_kept_alive_for_a_time_of_its_own(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    assert_true(is_restarted(&p));
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(wait_of(&p), CONN_WAIT_NEXT);
    (void)peer_took(&p);
    conn_timeout(p.conn); /* idle between two requests */
    peer_run(&p);
    assert_bytes_equal(peer_took(&p), BYTES(""));
    assert_int_equal(p.stream.fins, 1); /* said, and what comes meanwhile is no reset */
    assert_int_equal(wait_of(&p), CONN_WAIT_CLOSE);
    peer_hang_up(&p, STREAM_END);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_gives_each_request_the_time_of_a_head(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wait_of(&p), i ? CONN_WAIT_NEXT : CONN_WAIT_HEAD);
        peer_say(&p, BYTES("GET"));
        assert_int_equal(wait_of(&p), CONN_WAIT_HEAD); /* from its first byte on */
        peer_say(&p, BYTES(" /healthz HTTP/1.1\r\nHost: a\r\n"));
        assert_false(is_restarted(&p));
        peer_say(&p, BYTES("\r\n"));
    }
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET"));
    assert_int_equal(wait_of(&p), CONN_WAIT_HEAD); /* it had come already */
    conn_timeout(p.conn);
    peer_run(&p);
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

static void conn_ends_who_does_not_take_an_answer(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    p.stream.writes.rest = STREAM_AGAIN;
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(is_restarted(&p));
    assert_int_equal(wait_of(&p), CONN_WAIT_ANSWERED);
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_gives_a_reader_time_as_long_as_it_reads(void **state)
{
    (void)state;
    struct peer p;
    static const ssize_t steps[] = {1};
    peer_open(&p);
    p.stream.writes.rest = STREAM_AGAIN;
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 3; i++) {
        assert_true(is_restarted(&p));
        assert_int_equal(wait_of(&p), CONN_WAIT_ANSWERED);
        conn_flush(p.conn);
        assert_false(is_restarted(&p)); /* it took nothing */
        p.stream.writes = (struct memory_script){steps, 1, 0, STREAM_AGAIN};
        conn_flush(p.conn);
    }
    peer_close(&p);
}

static void conn_pings_and_ends_who_shows_no_sign_of_life(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    assert_int_equal(wait_of(&p), CONN_WAIT_PING);
    conn_timeout(p.conn);
    assert_true(is_restarted(&p));
    assert_int_equal(wait_of(&p), CONN_WAIT_PONG);
    conn_flush(p.conn);
    assert_bytes_equal(peer_took(&p), BYTES("\x89\x00"));
    assert_not_over(&p);
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    assert_over(&p, 1006, "");
    peer_close(&p);
}

static void conn_takes_anything_for_a_sign_of_life(void **state)
{
    (void)state;
    static const struct bytes signs[] = {LITERAL("\x8A\x80keyy"), LITERAL("\x81\x80keyy"),
                                         LITERAL("\x81")};
    for (size_t i = 0; i < COUNT(signs); i++) {
        struct peer p;
        peer_open(&p);
        peer_upgrade(&p);
        conn_timeout(p.conn);
        peer_run(&p);
        peer_say(&p, signs[i]);
        assert_int_equal(wait_of(&p),
                         CONN_WAIT_PONG); /* the time of a pong is no shorter */
        conn_timeout(p.conn);
        assert_false(conn_is_dead(p.conn));
        assert_true(is_restarted(&p));
        assert_int_equal(wait_of(&p), CONN_WAIT_PING);
        conn_timeout(p.conn); /* the next ping wants a sign of its own */
        conn_timeout(p.conn);
        assert_true(conn_is_dead(p.conn));
        peer_close(&p);
    }
}

/* Who is not read cannot show signs of life. */
static void conn_holds_nothing_against_a_paused_peer(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    conn_pause(p.conn, true);
    for (int i = 0; i < 3; i++) { /* ping, pong, ping */
        conn_timeout(p.conn);
        peer_run(&p);
        assert_false(conn_is_dead(p.conn));
    }
    conn_pause(p.conn, false);
    conn_timeout(p.conn); /* what it sent meanwhile waits in the socket */
    assert_false(conn_is_dead(p.conn));
    conn_timeout(p.conn);
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_with_a_full_queue_ends_at_the_next_ping(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    fill(&p);
    conn_timeout(p.conn);
    assert_over(&p, 1013, "too slow");
    assert_int_equal(wait_of(&p), CONN_WAIT_CLOSE);
    conn_timeout(p.conn); /* nor does it take the Close */
    assert_true(conn_is_dead(p.conn));
    assert_over(&p, 1013, "too slow");
    peer_close(&p);
}

static void conn_ends_who_does_not_answer_a_close(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    conn_close(p.conn, 4001, BYTES("out"));
    assert_true(is_restarted(&p));
    assert_int_equal(wait_of(&p), CONN_WAIT_CLOSE);
    peer_run(&p);
    peer_say_frame(&p, FIN | WS_TEXT, BYTES("still here"));
    assert_false(is_restarted(&p));
    assert_not_over(&p);
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    assert_over(&p, 4001, "out");
    peer_close(&p);
}

static void conn_ends_who_never_says_fin(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    peer_say_frame(&p, FIN | WS_CLOSE, BYTES("\x03\xE8"));
    assert_int_equal(p.stream.fins, 1);
    assert_true(is_restarted(&p));
    peer_say_frame(&p, FIN | WS_TEXT, BYTES("on and on"));
    assert_false(is_restarted(&p));
    conn_timeout(p.conn);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_abort_ends_at_once(void **state)
{
    (void)state;
    struct peer p;
    open_slow(&p);
    fill(&p);
    conn_abort(p.conn);
    assert_true(conn_is_dead(p.conn));
    assert_false(conn_wants_write(p.conn));
    assert_over(&p, 1006, "");
    p.stream.writes.rest = MEMORY_ALL;
    conn_close(p.conn, 1000, BYTES(""));
    conn_flush(p.conn);
    assert_bytes_equal(peer_took(&p), BYTES(""));
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn_with_nothing_waiting_is_served_past_a_spent_sum),
        cmocka_unit_test(conn_whose_socket_takes_nothing_is_slow_once_the_sum_is_spent),
        cmocka_unit_test(conn_that_takes_half_a_frame_ends_once_the_sum_is_spent),
        cmocka_unit_test(conn_never_holds_more_than_the_sum),
        cmocka_unit_test(conn_holds_a_frame_until_its_last_byte_has_left),
        cmocka_unit_test(conn_that_drops_survives_a_ping_and_a_pong_that_do_not_fit),
        cmocka_unit_test(conn_that_drops_ends_when_its_full_queue_does_not_move),
        cmocka_unit_test(conn_survives_a_ping_that_waits_behind_a_message),
        cmocka_unit_test(conn_that_took_its_ping_has_to_answer_it),
        cmocka_unit_test(conn_send_is_full_at_the_cap),
        cmocka_unit_test(conn_send_has_room_as_bytes_leave),
        cmocka_unit_test(conn_too_slow_drops_what_has_not_begun_to_leave),
        cmocka_unit_test(conn_close_goes_out_beyond_the_cap),
        cmocka_unit_test(conn_ends_who_pings_and_takes_no_pongs),
        cmocka_unit_test(conn_echoes_the_close_of_a_slow_peer),
        cmocka_unit_test(conn_counts_a_message_in_part),
        cmocka_unit_test(conn_closes_1013_a_message_in_part_when_the_sum_is_spent),
        cmocka_unit_test(conn_counts_a_head_in_part_and_what_follows_a_request),
        cmocka_unit_test(conn_refuses_with_503_a_head_in_part_when_the_sum_is_spent),
        cmocka_unit_test(conn_forgets_what_follows_a_request_when_the_sum_is_spent),
        cmocka_unit_test(conn_without_a_request_ends_silently),
        cmocka_unit_test(conn_with_half_a_request_is_told_408),
        cmocka_unit_test(conn_gives_no_more_time_to_a_head_that_trickles),
        cmocka_unit_test(conn_gives_no_more_time_for_empty_lines),
        cmocka_unit_test(conn_is_kept_alive_for_a_time_of_its_own),
        cmocka_unit_test(conn_gives_each_request_the_time_of_a_head),
        cmocka_unit_test(conn_ends_who_does_not_take_an_answer),
        cmocka_unit_test(conn_gives_a_reader_time_as_long_as_it_reads),
        cmocka_unit_test(conn_pings_and_ends_who_shows_no_sign_of_life),
        cmocka_unit_test(conn_takes_anything_for_a_sign_of_life),
        cmocka_unit_test(conn_holds_nothing_against_a_paused_peer),
        cmocka_unit_test(conn_with_a_full_queue_ends_at_the_next_ping),
        cmocka_unit_test(conn_ends_who_does_not_answer_a_close),
        cmocka_unit_test(conn_ends_who_never_says_fin),
        cmocka_unit_test(conn_abort_ends_at_once),
    };
    return cmocka_run_group_tests_name("conn limits", tests, NULL, NULL);
}
