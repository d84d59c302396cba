/* conn: requests for the rules: their bodies, their responses, and what comes between. */
#include "client.h"
#include "peer.h"
#include "unit.h"

#define HOST "Host: a\r\n"
#define POST "POST /hook HTTP/1.1\r\n" HOST
#define FIVE POST "Content-Length: 5\r\n\r\nhello"
#define CHUNKS                                                                           \
    POST "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
#define ROOT "Content-Type: text/plain; charset=utf-8\r\n"
#define OK                                                                               \
    "HTTP/1.1 200 OK\r\n" ROOT                                                           \
    "Content-Length: 2\r\nX-Content-Type-Options: nosniff\r\n\r\n"

static const struct answer ok = {.status = 200, .body = LITERAL("ok")};

static bool has(struct bytes b, const char *text)
{
    return memmem(b.at, b.len, text, strlen(text)) != NULL;
}

static enum conn_wait wait_of(struct peer *p)
{
    bool restarted;
    return conn_wait(p->conn, &restarted);
}

/* The rules have heard `told`, and answer. */
static void respond(struct peer *p, const char *told)
{
    assert_string_equal(p->told, told);
    assert_true(conn_awaits_response(p->conn));
    assert_int_equal(wait_of(p), CONN_WAIT_RESPONSE);
    /* The body is the mail's now. */
    assert_int_equal(p->env.held.used, p->conn->http.in.cap);
    p->told[p->told_len = 0] = 0;
    conn_respond(p->conn, &ok);
    assert_false(conn_awaits_response(p->conn));
    peer_run(p);
}

/* --- what is handed on and what is refused -------------------------------- */

static const struct row {
    const char *name;
    struct bytes in;
    const char *told;   /* NULL: it is refused */
    const char *answer; /* how it begins */
} rows[] = {
    {"conn_hands_on_a_body_of_some_length", LITERAL(FIVE), "R:hello ", OK "ok"},
    {"conn_hands_on_a_body_in_chunks", LITERAL(CHUNKS), "R:hello ", OK "ok"},
    {"conn_hands_on_a_request_without_body", LITERAL(POST "\r\n"), "R: ", OK "ok"},
    {"conn_hands_on_get_with_a_query", LITERAL("GET /hook?a=b HTTP/1.1\r\n" HOST "\r\n"),
     "R: ", OK "ok"},
    {"conn_answers_head_without_body", LITERAL("HEAD /hook HTTP/1.1\r\n" HOST "\r\n"),
     "R: ", OK},
    {"conn_refuses_another_method",
     LITERAL("PUT /hook HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"), NULL,
     "HTTP/1.1 405 Method Not Allowed\r\n"},
    {"conn_refuses_head_where_get_is_not", LITERAL("HEAD /put HTTP/1.1\r\n" HOST "\r\n"),
     NULL, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {"conn_refuses_a_body_that_is_too_long",
     LITERAL(POST "Content-Length: 17\r\nExpect: 100-continue\r\n\r\n"), NULL,
     "HTTP/1.1 413 "},
    {"conn_refuses_chunks_that_are_too_long",
     LITERAL(POST "Transfer-Encoding: chunked\r\n\r\n"
                  "10\r\n0123456789abcdef\r\n1\r\nx"),
     NULL, "HTTP/1.1 413 "},
    {"conn_refuses_malformed_chunks",
     LITERAL(POST "Transfer-Encoding: chunked\r\n\r\n2\r\nhello"), NULL, "HTTP/1.1 400 "},
    {"conn_refuses_length_with_chunks",
     LITERAL(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
     NULL, "HTTP/1.1 400 "},
    {"conn_refuses_another_coding",
     LITERAL(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), NULL,
     "HTTP/1.1 501 "},
    {"conn_refuses_a_page_of_another_origin",
     LITERAL(POST "Origin: http://b\r\nContent-Length: 1\r\n\r\nx"), NULL,
     "HTTP/1.1 403 "},
    {"conn_hands_on_what_its_own_page_says",
     LITERAL(POST "Origin: http://a\r\nContent-Length: 1\r\n\r\nx"), "R:x ",
     "HTTP/1.1 200 OK\r\n" ROOT "Content-Length: 2\r\nX-Content-Type-Options: nosniff\r\n"
     "Access-Control-Allow-Origin: http://a\r\nVary: Origin\r\n\r\nok"},
};

static void judges_row(void **state)
{
    const struct row *r = *state;
    for (size_t size = 1; size <= r->in.len; size++) {
        struct peer p;
        peer_open(&p);
        p.read_size = size;
        peer_say(&p, r->in);
        if (r->told)
            respond(&p, r->told);
        struct bytes took = peer_took(&p);
        if (took.len < strlen(r->answer) ||
            memcmp(took.at, r->answer, strlen(r->answer)) != 0)
            fail_msg("in parts of %zu bytes: %.*s", size, (int)took.len,
                     (const char *)took.at);
        if (r->told)
            assert_int_equal(took.len, strlen(r->answer));
        else
            assert_string_equal(p.told, "");
        assert_int_equal(p.stream.fins, r->told ? 0 : 1);
        assert_int_equal(p.env.held.used, 0);
        peer_close(&p);
    }
}

/* --- one after the other --------------------------------------------------- */

static void conn_takes_the_next_request_after_the_response(void **state)
{
    (void)state;
    static const char in[] = FIVE CHUNKS FIVE "GET /healthz HTTP/1.1\r\n" HOST "\r\n";
    for (size_t size = 1; size <= sizeof in; size++) {
        struct peer p;
        peer_open(&p);
        p.read_size = size;
        p.stream.in = bytes_of(in);
        for (int i = 0; i < 3; i++) {
            peer_run(&p);
            respond(&p, "R:hello ");
            assert_true(has(peer_took(&p), OK "ok"));
        }
        peer_run(&p);
        assert_true(has(stream_memory_out(&p.stream), "\r\n\r\nok\n"));
        peer_close(&p);
    }
}

static void conn_upgrades_behind_a_request(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES(FIVE));
    respond(&p, "R:hello ");
    (void)peer_took(&p);
    peer_upgrade(&p);
    conn_respond(p.conn, &ok); /* nobody waits for it: nothing happens */
    peer_run(&p);
    assert_int_equal(peer_took(&p).len, 0);
    assert_true(conn_is_open(p.conn));
    peer_close(&p);
}

static void conn_ends_with_the_response_if_told_so(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct peer p;
        peer_open(&p);
        peer_say(&p, i ? BYTES(POST "\r\n") : BYTES(POST "Connection: close\r\n\r\n"));
        p.env.is_draining = i; /* who was taken before is answered */
        respond(&p, "R: ");
        assert_true(has(peer_took(&p), "HTTP/1.1 200 OK\r\n"));
        assert_int_equal(p.stream.fins, 1);
        peer_close(&p);
    }
}

static void conn_hears_of_an_end_while_it_waits_for_the_rules(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES(FIVE));
    assert_true(conn_wants_read(p.conn));
    peer_hang_up(&p, STREAM_END);
    assert_true(conn_is_dead(p.conn));
    assert_false(conn_awaits_response(p.conn));
    conn_respond(p.conn, &ok);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

static void conn_does_not_hoard_what_is_pipelined(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES(FIVE "GET"));
    assert_false(conn_wants_read(p.conn));
    peer_close(&p);
}

/* --- 100-continue ------------------------------------------------------------ */

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void conn_says_continue_before_the_body_and_once(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES(POST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n"));
    assert_bytes_equal(peer_took(&p), BYTES(CONTINUE));
    peer_say(&p, BYTES("hel"));
    peer_say(&p, BYTES("lo"));
    assert_int_equal(peer_took(&p).len, 0);
    respond(&p, "R:hello ");
    assert_bytes_equal(peer_took(&p), BYTES(OK "ok"));
    peer_close(&p);
}

static void conn_says_no_continue_where_nobody_waits(void **state)
{
    (void)state;
    static const char *const ins[] = {
        POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhel",
        POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        "POST /hook HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        POST "Content-Length: 5\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT(ins); i++) {
        struct peer p;
        peer_open(&p);
        peer_say(&p, bytes_of(ins[i]));
        assert_int_equal(peer_took(&p).len, 0);
        peer_close(&p);
    }
}

/* --- limits -------------------------------------------------------------------- */

static void conn_gives_a_body_its_time_and_then_408(void **state)
{
    (void)state;
    struct peer p;
    bool restarted;
    peer_open(&p);
    peer_say(&p, BYTES(POST "Content-Length: 5\r\n"));
    (void)conn_wait(p.conn, &restarted);
    peer_say(&p, BYTES("\r\n"));
    assert_int_equal(conn_wait(p.conn, &restarted), CONN_WAIT_HEAD);
    assert_true(restarted);
    peer_say(&p, BYTES("hel"));
    assert_int_equal(conn_wait(p.conn, &restarted), CONN_WAIT_HEAD);
    assert_false(restarted); /* a byte now and then wins no time */
    conn_timeout(p.conn);
    peer_run(&p);
    assert_true(has(peer_took(&p), "HTTP/1.1 408 "));
    assert_int_equal(atomic_load(&p.stats.limits[LIMIT_HEAD_TIME].times), 1);
    assert_int_equal(p.env.held.used, 0);
    peer_close(&p);
}

static void conn_gives_the_rules_their_time_and_then_503(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES(FIVE));
    assert_int_equal(wait_of(&p), CONN_WAIT_RESPONSE);
    conn_timeout(p.conn);
    peer_run(&p);
    assert_true(has(peer_took(&p), "HTTP/1.1 503 "));
    assert_int_equal(atomic_load(&p.stats.limits[LIMIT_ANSWER_TIME].times), 1);
    conn_respond(p.conn, &ok); /* too late */
    peer_run(&p);
    assert_int_equal(peer_took(&p).len, 0);
    peer_close(&p);
}

static void conn_counts_a_body_among_all_that_waits(void **state)
{
    (void)state;
    static const uint8_t more[400];
    for (int begun = 0; begun <= 1; begun++) {
        struct peer p;
        peer_open(&p);
        p.env.body_max = 1000;
        if (begun) {
            peer_say(&p, BYTES(POST "Content-Length: 1000\r\n\r\nhel"));
            assert_true(p.env.held.used > (int64_t)sizeof(POST));
            assert_int_equal(peer_took(&p).len, 0);
        }
        peer_spend_sum(&p);
        if (begun)
            peer_say(&p, (struct bytes){more, sizeof more});
        else
            peer_say(&p, BYTES(POST "Content-Length: 1000\r\n\r\nhel"));
        assert_true(has(peer_took(&p), "HTTP/1.1 503 "));
        assert_int_equal(atomic_load(&p.stats.limits[LIMIT_QUEUED].times), 1);
        assert_int_equal(p.env.held.used, 0);
        peer_close(&p);
    }
}

static void conn_forgets_a_body_with_its_peer(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES(POST "Content-Length: 5\r\n\r\nhel"));
    peer_hang_up(&p, STREAM_END);
    peer_close(&p);
    assert_int_equal(p.env.held.used, 0);
}

static void conn_refuses_requests_that_come_too_fast(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    p.env.messages_a_second = 2;
    for (int i = 0; i < 4; i++) {
        peer_say(&p, BYTES(FIVE));
        respond(&p, "R:hello ");
    }
    (void)peer_took(&p);
    peer_say(&p, BYTES(FIVE));
    assert_true(has(peer_took(&p), "HTTP/1.1 429 "));
    assert_int_equal(atomic_load(&p.stats.limits[LIMIT_RATE].times), 1);
    peer_close(&p);
}

static void conn_refuses_with_503_what_the_owner_cannot_take(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    p.on_request = -1;
    peer_say(&p, BYTES(FIVE));
    assert_true(has(peer_took(&p), "HTTP/1.1 503 "));
    assert_false(conn_awaits_response(p.conn));
    peer_close(&p);
}

static void conn_gives_up_requests_when_the_server_stops(void **state)
{
    (void)state;
    for (int now = 0; now <= 1; now++) {
        struct peer body, asked, idle;
        peer_open(&body);
        peer_open(&asked);
        peer_open(&idle);
        peer_say(&body, BYTES(POST "Content-Length: 5\r\n\r\nhel"));
        peer_say(&asked, BYTES(FIVE));
        conn_give_up_request(body.conn, now);
        conn_give_up_request(asked.conn, now);
        conn_give_up_request(idle.conn, now);
        peer_run(&body);
        peer_run(&asked);
        peer_run(&idle);
        assert_true(has(peer_took(&body), "HTTP/1.1 503 "));
        assert_int_equal(has(peer_took(&asked), "HTTP/1.1 503 "), now);
        assert_int_equal(conn_awaits_response(asked.conn), !now);
        assert_int_equal(peer_took(&idle).len, 0);
        peer_close(&body);
        peer_close(&asked);
        peer_close(&idle);
    }
}

/* --- memory -------------------------------------------------------------------- */

static void conn_outlives_every_allocation_that_fails(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct peer p;
        alloc_fail_at(n);
        if (peer_init(&p) < 0)
            continue;
        p.read_size = 20;
        peer_say(&p, BYTES(POST "Expect: 100-continue\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"));
        if (!conn_is_dead(p.conn) && conn_wants_read(p.conn))
            peer_say(&p, BYTES("2\r\nhe\r\ne\r\n01234567891234\r\n0\r\n\r\nGET "));
        conn_respond(p.conn, &ok);
        peer_run(&p);
        bool failed = alloc_has_failed();
        alloc_fail_at(0);
        struct bytes took = peer_took(&p);
        if (!failed)
            assert_bytes_equal(took, BYTES(CONTINUE OK "ok"));
        else
            assert_true(conn_is_dead(p.conn) || has(took, "HTTP/1.1 503 "));
        peer_close(&p);
        if (!failed)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(conn_takes_the_next_request_after_the_response),
        cmocka_unit_test(conn_upgrades_behind_a_request),
        cmocka_unit_test(conn_ends_with_the_response_if_told_so),
        cmocka_unit_test(conn_hears_of_an_end_while_it_waits_for_the_rules),
        cmocka_unit_test(conn_does_not_hoard_what_is_pipelined),
        cmocka_unit_test(conn_says_continue_before_the_body_and_once),
        cmocka_unit_test(conn_says_no_continue_where_nobody_waits),
        cmocka_unit_test(conn_gives_a_body_its_time_and_then_408),
        cmocka_unit_test(conn_gives_the_rules_their_time_and_then_503),
        cmocka_unit_test(conn_counts_a_body_among_all_that_waits),
        cmocka_unit_test(conn_forgets_a_body_with_its_peer),
        cmocka_unit_test(conn_refuses_requests_that_come_too_fast),
        cmocka_unit_test(conn_refuses_with_503_what_the_owner_cannot_take),
        cmocka_unit_test(conn_gives_up_requests_when_the_server_stops),
        cmocka_unit_test(conn_outlives_every_allocation_that_fails),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, rows, judges_row), others, sizeof others);
    return cmocka_run_group_tests_name("conn requests", tests, NULL, NULL);
}
