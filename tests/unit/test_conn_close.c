/* conn: how it ends: closed by either side, failed, or left alone. */
#include "client.h"
#include "peer.h"
#include "unit.h"

static const struct ending {
    const char *name;
    unsigned first;
    struct bytes payload, answer;
    uint16_t code;
    const char *reason;
} endings[] = {
    {"conn_echoes_a_close_code", FIN | WS_CLOSE,
     LITERAL("\x03\xE8"
             "ok"),
     LITERAL("\x88\x02\x03\xE8"), 1000, "ok"},
    {"conn_answers_a_close_without_code_by_one", FIN | WS_CLOSE, LITERAL(""),
     LITERAL("\x88\x00"), 1005, ""},
    {"conn_fails_a_bad_close_code_with_1002", FIN | WS_CLOSE, LITERAL("\x03\xED"),
     LITERAL("\x88*\x03\xEA"), 1002, NULL},
    {"conn_fails_a_reserved_opcode_with_1002", FIN | 3, LITERAL(""),
     LITERAL("\x88*\x03\xEA"), 1002, NULL},
    {"conn_fails_bad_text_with_1007", FIN | WS_TEXT, LITERAL("\xFF"),
     LITERAL("\x88*\x03\xEF"), 1007, NULL},
    {"conn_fails_a_message_over_its_limit_with_1009",
     FIN | WS_BINARY,
     {(const uint8_t[201]){0}, 201},
     LITERAL("\x88*\x03\xF1"),
     1009,
     NULL},
};

/* `reason` NULL: some text, the same in the Close frame (whose length is '*' in the
 * table). */
static void ends_as_wanted(void **state)
{
    const struct ending *e = *state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    peer_say_frame(&p, e->first, e->payload);
    struct bytes took = peer_took(&p), reason;
    uint16_t code;
    assert_true(conn_is_over(p.conn, &code, &reason));
    assert_int_equal(code, e->code);
    if (e->reason) {
        assert_bytes_equal(took, e->answer);
        assert_bytes_equal(reason, bytes_of(e->reason));
    } else {
        assert_int_equal(took.at[0], e->answer.at[0]);
        assert_int_equal(took.at[1] + 2U, took.len);
        assert_memory_equal(took.at + 2, e->answer.at + 2, 2);
        assert_bytes_equal(bytes_skip(took, 4), reason);
        assert_true(reason.len > 0);
    }
    assert_string_equal(p.told, "");
    assert_int_equal(p.stream.fins, 1);
    assert_int_equal(peer_send(&p, BYTES("late")), SEND_GONE);
    assert_false(conn_is_dead(p.conn)); /* until the peer's FIN: no reset */
    assert_true(conn_wants_read(p.conn));
    peer_say_frame(&p, FIN | WS_TEXT, BYTES("late"));
    assert_string_equal(p.told, "");
    assert_bytes_equal(peer_took(&p), BYTES(""));
    peer_hang_up(&p, STREAM_END);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_close_goes_out_after_what_is_queued(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    assert_int_equal(peer_send(&p, BYTES("x")), SEND_OK);
    conn_close(p.conn, 1001, BYTES("bye"));
    conn_close(p.conn, 1000, BYTES("again"));
    assert_false(conn_is_open(p.conn));
    assert_int_equal(peer_send(&p, BYTES("late")), SEND_GONE);
    peer_run(&p);
    assert_bytes_equal(peer_took(&p), BYTES("\x81\x01x\x88\x05\x03\xE9"
                                            "bye"));
    assert_not_over(&p);
    assert_int_equal(p.stream.fins, 0);
    peer_close(&p);
}

static void conn_after_its_close_waits_for_the_peers_alone(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    conn_close(p.conn, 1001, BYTES("bye"));
    peer_run(&p);
    (void)peer_took(&p);
    peer_say_frame(&p, FIN | WS_TEXT, BYTES("late"));
    peer_say_frame(&p, FIN | WS_PING, BYTES("late"));
    assert_string_equal(p.told, "");
    assert_bytes_equal(peer_took(&p), BYTES(""));
    assert_not_over(&p);
    peer_say_frame(&p, FIN | WS_CLOSE, BYTES("\x03\xE8theirs"));
    assert_over(&p, 1001, "bye"); /* the first Close counts */
    assert_bytes_equal(peer_took(&p), BYTES(""));
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

static void conn_after_its_close_fails_without_another(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    conn_close(p.conn, 1001, BYTES(""));
    peer_run(&p);
    (void)peer_took(&p);
    peer_say_frame(&p, FIN | 3, BYTES(""));
    assert_over(&p, 1001, "");
    assert_bytes_equal(peer_took(&p), BYTES(""));
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

static void conn_is_over_with_1006_when_the_peer_vanishes(void **state)
{
    (void)state;
    static const ssize_t ends[] = {STREAM_END, STREAM_ERROR};
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct peer p;
        peer_open(&p);
        peer_upgrade(&p);
        assert_not_over(&p);
        peer_hang_up(&p, ends[i]);
        assert_true(conn_is_dead(p.conn));
        assert_over(&p, 1006, "");
        assert_int_equal(peer_send(&p, BYTES("late")), SEND_GONE);
        peer_close(&p);
    }
}

static void conn_is_over_with_1006_when_writing_fails(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    p.stream.writes.rest = STREAM_ERROR;
    assert_int_equal(peer_send(&p, BYTES("x")), SEND_OK);
    conn_flush(p.conn);
    assert_true(conn_is_dead(p.conn));
    assert_false(conn_wants_write(p.conn));
    assert_false(conn_wants_read(p.conn));
    assert_over(&p, 1006, "");
    peer_close(&p);
}

static void conn_that_was_no_websocket_is_never_over(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES("GET /heal"));
    peer_hang_up(&p, STREAM_END);
    assert_true(conn_is_dead(p.conn));
    assert_not_over(&p);
    peer_close(&p);
}

static void conn_closes_1011_when_a_message_cannot_be_taken(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    p.on_message = -1;
    peer_say_frame(&p, FIN | WS_TEXT, BYTES("x"));
    assert_over(&p, 1011, "out of memory");
    assert_bytes_equal(peer_took(&p), BYTES("\x88\x0F\x03\xF3out of memory"));
    peer_close(&p);
}

/* A peer that says "hi" and breaks the protocol in the same read. */
static void say_hi_and_a_fault(struct peer *p)
{
    uint8_t both[64];
    peer_open(p);
    peer_upgrade(p);
    p->holds_faults = true;
    size_t n = client_frame(both, FIN | WS_TEXT, BYTES("hi"));
    n += client_frame(both + n, FIN | 3, BYTES(""));
    peer_say(p, (struct bytes){both, n});
    p->stream.in.at = NULL;
    assert_string_equal(p->told, "T:hi ");
    assert_bytes_equal(peer_took(p), BYTES(""));
    assert_not_over(p);
}

static void conn_that_fails_sends_what_is_answered_before_its_close(void **state)
{
    (void)state;
    struct peer p;
    say_hi_and_a_fault(&p);
    assert_false(conn_is_open(p.conn));
    assert_false(conn_wants_read(p.conn));
    assert_int_equal(peer_send(&p, BYTES("x")), SEND_OK);
    conn_close(p.conn, 1002, BYTES("no"));
    assert_int_equal(peer_send(&p, BYTES("late")), SEND_GONE);
    peer_run(&p);
    assert_bytes_equal(peer_took(&p), BYTES("\x81\x01x\x88\x04\x03\xEAno"));
    assert_over(&p, 1002, "no");
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

static void conn_that_fails_is_closed_as_the_rules_said_before_they_heard(void **state)
{
    (void)state;
    struct peer p;
    say_hi_and_a_fault(&p);
    conn_close(p.conn, 4000, BYTES("bye"));
    conn_close(p.conn, 1002, BYTES("no"));
    peer_run(&p);
    assert_bytes_equal(peer_took(&p), BYTES("\x88\x05\x0F\xA0"
                                            "bye"));
    assert_over(&p, 4000, "bye");
    peer_close(&p);
}

static void conn_that_fails_says_its_close_when_the_rules_do_not(void **state)
{
    (void)state;
    struct peer p;
    bool restarted;
    say_hi_and_a_fault(&p);
    assert_int_equal(conn_wait(p.conn, &restarted), CONN_WAIT_CLOSE);
    assert_true(restarted);
    conn_timeout(p.conn);
    peer_run(&p);
    assert_bytes_equal(peer_took(&p), BYTES("\x88\x18\x03\xEAthe opcode is reserved"));
    assert_over(&p, 1002, "the opcode is reserved");
    peer_close(&p);
}

static void conn_that_fails_and_reads_too_slowly_is_closed_with_its_fault(void **state)
{
    (void)state;
    struct peer p;
    say_hi_and_a_fault(&p);
    p.stream.writes.rest = STREAM_AGAIN;
    while (peer_send(&p, BYTES("0123456789")) == SEND_OK)
        ;
    conn_too_slow(p.conn, p.env.ping);
    assert_over(&p, 1002, "the opcode is reserved");
    p.stream.writes.rest = MEMORY_ALL;
    peer_run(&p);
    assert_bytes_equal(peer_took(&p), BYTES("\x88\x18\x03\xEAthe opcode is reserved"));
    peer_close(&p);
}

static void conn_fails_at_once_when_nobody_can_be_told(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    p.on_fault = -1;
    peer_say_frame(&p, FIN | 3, BYTES(""));
    assert_memory_equal(peer_took(&p).at + 2, "\x03\xEA", 2);
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

static void conn_reads_the_peers_close_while_paused(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_upgrade(&p);
    conn_pause(p.conn, true);
    conn_close(p.conn, 1000, BYTES(""));
    assert_true(conn_wants_read(p.conn));
    peer_say_frame(&p, FIN | WS_CLOSE, BYTES("\x03\xE8"));
    assert_over(&p, 1000, "");
    assert_true(conn_wants_read(p.conn)); /* and its FIN */
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(conn_close_goes_out_after_what_is_queued),
        cmocka_unit_test(conn_after_its_close_waits_for_the_peers_alone),
        cmocka_unit_test(conn_after_its_close_fails_without_another),
        cmocka_unit_test(conn_is_over_with_1006_when_the_peer_vanishes),
        cmocka_unit_test(conn_is_over_with_1006_when_writing_fails),
        cmocka_unit_test(conn_that_was_no_websocket_is_never_over),
        cmocka_unit_test(conn_closes_1011_when_a_message_cannot_be_taken),
        cmocka_unit_test(conn_that_fails_sends_what_is_answered_before_its_close),
        cmocka_unit_test(conn_that_fails_is_closed_as_the_rules_said_before_they_heard),
        cmocka_unit_test(conn_that_fails_says_its_close_when_the_rules_do_not),
        cmocka_unit_test(conn_that_fails_and_reads_too_slowly_is_closed_with_its_fault),
        cmocka_unit_test(conn_fails_at_once_when_nobody_can_be_told),
        cmocka_unit_test(conn_reads_the_peers_close_while_paused),
    };
    struct CMUnitTest tests[COUNT(endings) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, endings, ends_as_wanted), others, sizeof others);
    return cmocka_run_group_tests_name("conn close", tests, NULL, NULL);
}
