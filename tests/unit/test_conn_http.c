/* conn: plain requests, refusals, and requests that come before the last was answered. */
#include "peer.h"
#include "unit.h"

#define HOST "Host: a\r\n"
#define WS                                                                               \
    HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"                                 \
         "Sec-WebSocket-Key: zPDr6m4czzUdOFnsxIUEAw==\r\n"
#define HUNDRED                                                                          \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "234567890123456789"

/* A request as its peer's only bytes; `wanted` are parts of the answer, `never` is none.
 */
static const struct row {
    const char *name, *request;
    const char *wanted[3], *never;
    bool ends; /* the connection, after the answer */
} rows[] = {
    {"conn_answers_healthz",
     "GET /healthz HTTP/1.1\r\n" HOST "\r\n",
     {"HTTP/1.1 200 OK\r\n", "Content-Length: 3\r\n", "\r\n\r\nok\n"},
     "Connection:",
     false},
    {"conn_answers_head_without_a_body",
     "HEAD /healthz HTTP/1.1\r\n" HOST "\r\n",
     {"HTTP/1.1 200 OK\r\n", "Content-Length: 3\r\n"},
     "ok\n",
     false},
    {"conn_refuses_head_without_a_body",
     "HEAD /healthz HTTP/1.1\r\n" WS "Sec-WebSocket-Version: 13\r\n\r\n",
     {"HTTP/1.1 405 Method Not Allowed\r\n", "Content-Length: "},
     "405 Method Not Allowed:",
     true},
    {"conn_refuses_a_malformed_head_without_a_body",
     "HEAD /  HTTP/1.1\r\n" HOST "\r\n",
     {"HTTP/1.1 400 Bad Request\r\n", "Content-Length: "},
     "malformed",
     true},
    {"conn_refuses_a_large_head_of_head_without_a_body",
     "HEAD / HTTP/1.1\r\n" HOST
     "a:" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED,
     {"HTTP/1.1 431 Request Header Fields Too Large\r\n"},
     "the request's",
     true},
    {"conn_answers_404_without_a_page",
     "GET / HTTP/1.1\r\n" HOST "\r\n",
     {"HTTP/1.1 404 Not Found\r\n"},
     "Connection:",
     false},
    {"conn_ends_after_an_answer_when_asked_to",
     "GET /healthz HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
     {"HTTP/1.1 200 OK\r\n", "Connection: close\r\n"},
     NULL,
     true},
    {"conn_ends_after_an_answer_to_http_1_0",
     "GET /healthz HTTP/1.0\r\n\r\n",
     {"HTTP/1.1 200 OK\r\n", "Connection: close\r\n"},
     NULL,
     true},
    {"conn_refuses_post_with_405",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
     {"HTTP/1.1 405 Method Not Allowed\r\n", "Allow: GET, HEAD\r\n",
      "Connection: close\r\n"},
     NULL,
     true},
    {"conn_answers_options_of_the_server",
     "OPTIONS * HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
     {"HTTP/1.1 204 No Content\r\n", "Allow: GET, HEAD, OPTIONS\r\n"},
     "Connection:",
     false},
    {"conn_refuses_another_method_of_the_server",
     "GET * HTTP/1.1\r\n" HOST "\r\n",
     {"HTTP/1.1 400 Bad Request\r\n"},
     NULL,
     true},
    {"conn_passes_over_the_body_of_a_get",
     "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
     {"HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n"},
     "Connection:",
     false},
    {"conn_passes_over_the_chunks_of_a_get",
     "GET /healthz HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     {"HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n"},
     "Connection:",
     false},
    {"conn_refuses_a_large_body_of_a_get_with_413",
     "GET / HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\nhello",
     {"HTTP/1.1 413 Content Too Large\r\n", "Connection: close\r\n"},
     NULL,
     true},
    {"conn_refuses_a_malformed_body_of_a_get_with_400",
     "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nhello",
     {"HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n"},
     NULL,
     true},
    {"conn_refuses_a_malformed_head_with_400",
     "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
     {"HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n", "malformed"},
     NULL,
     true},
    {"conn_refuses_http_2_with_505",
     "GET / HTTP/2.0\r\n" HOST "\r\n",
     {"HTTP/1.1 505 HTTP Version Not Supported\r\n"},
     NULL,
     true},
    {"conn_refuses_too_many_fields_with_431",
     "GET / HTTP/1.1\r\n" HOST "a:1\r\na:2\r\na:3\r\na:4\r\na:5\r\na:6\r\na:7\r\na:8\r\n"
     "a:9\r\na:10\r\na:11\r\na:12\r\na:13\r\na:14\r\na:15\r\na:16\r\n\r\n",
     {"HTTP/1.1 431 Request Header Fields Too Large\r\n"},
     NULL,
     true},
    {"conn_refuses_a_large_head_before_its_end_with_431",
     "GET / HTTP/1.1\r\n" HOST
     "a:" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED,
     {"HTTP/1.1 431 Request Header Fields Too Large\r\n"},
     NULL,
     true},
    {"conn_refuses_another_websocket_version_with_426",
     "GET / HTTP/1.1\r\n" WS "Sec-WebSocket-Version: 8\r\n\r\n",
     {"HTTP/1.1 426 Upgrade Required\r\n", "Sec-WebSocket-Version: 13\r\n",
      "Upgrade: websocket\r\n"},
     NULL,
     true},
    {"conn_refuses_an_upgrade_by_post_with_405",
     "POST / HTTP/1.1\r\n" WS "Sec-WebSocket-Version: 13\r\n\r\n",
     {"HTTP/1.1 405 Method Not Allowed\r\n", "Allow: GET\r\n"},
     NULL,
     true},
    {"conn_refuses_an_upgrade_with_a_body_with_400",
     "GET / HTTP/1.1\r\n" WS "Sec-WebSocket-Version: 13\r\nContent-Length: 1\r\n\r\nx",
     {"HTTP/1.1 400 Bad Request\r\n"},
     NULL,
     true},
    {"conn_refuses_an_upgrade_without_a_key_with_400",
     "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Version: 13\r\n\r\n",
     {"HTTP/1.1 400 Bad Request\r\n"},
     NULL,
     true},
    {"conn_passes_over_an_empty_line_before_a_request",
     "\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n",
     {"HTTP/1.1 200 OK\r\n"},
     "Connection:",
     false},
};

static bool has(struct bytes in, const char *part)
{
    return memmem(in.at, in.len, part, strlen(part)) != NULL;
}

static void is_answered(void **state)
{
    const struct row *row = *state;
    struct peer p;
    peer_open(&p);
    p.read_size = 2048;
    answer_date(784111777, p.env.date);
    peer_say(&p, bytes_of(row->request));
    struct bytes took = peer_took(&p);
    for (size_t i = 0; i < COUNT(row->wanted) && row->wanted[i]; i++)
        if (!has(took, row->wanted[i]))
            fail_msg("no '%s' in '%.*s'", row->wanted[i], (int)took.len,
                     (const char *)took.at);
    assert_false(row->never && has(took, row->never));
    assert_int_equal(p.stream.fins, row->ends);
    assert_int_equal(stats_read(&p.stats.refused),
                     has(took, "HTTP/1.1 4") || has(took, "HTTP/1.1 5"));
    assert_true(has(took, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    if (strncmp(row->request, "HEAD ", 5) == 0)
        assert_memory_equal(took.at + took.len - 4, "\r\n\r\n", 4);
    assert_string_equal(p.told, "");
    assert_not_over(&p);
    assert_false(conn_is_dead(p.conn));
    assert_true(conn_wants_read(p.conn)); /* the next request, or FIN */
    peer_hang_up(&p, STREAM_END);
    assert_true(conn_is_dead(p.conn));
    peer_close(&p);
}

/* --- one behind the other ------------------------------------------------ */

#define ONE "HTTP/1.1 200 OK\r\n"

static const char three[] =
    "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 8\r\n\r\nGET / HT"
    "HEAD /healthz HTTP/1.1\r\n" HOST "\r\n"
    "GET /none HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";

/* The three answers in their order, and nothing else. */
static void assert_three_answers(struct peer *p)
{
    struct bytes took = peer_took(p);
    const char *at = (const char *)took.at, *end = at + took.len;
    static const char *const parts[] = {"HTTP/1.1 200 ", "\r\n\r\nok\n",
                                        "HTTP/1.1 200 ", "\r\n\r\n",
                                        "HTTP/1.1 404 ", "Connection: close"};
    for (size_t i = 0; i < COUNT(parts); i++) {
        at = memmem(at, (size_t)(end - at), parts[i], strlen(parts[i]));
        assert_non_null(at);
        at += strlen(parts[i]);
    }
    assert_false(
        has((struct bytes){(const uint8_t *)at, (size_t)(end - at)}, "HTTP/1.1"));
    assert_int_equal(p->stream.fins, 1);
}

static void conn_answers_pipelined_requests_in_order_at_every_split(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < sizeof three; cut++) {
        struct peer p;
        ssize_t steps[] = {(ssize_t)cut};
        peer_open(&p);
        p.stream.reads = (struct memory_script){steps, 1, 0, MEMORY_ALL};
        peer_say(&p, bytes_of(three));
        assert_three_answers(&p);
        peer_close(&p);
    }
}

static void conn_answers_pipelined_requests_in_parts_of_every_size(void **state)
{
    (void)state;
    for (size_t size = 1; size < 48; size++) {
        struct peer p;
        peer_open(&p);
        p.read_size = size;
        p.stream.writes.rest = (ssize_t)(size % 5 + 1);
        peer_say(&p, bytes_of(three));
        assert_three_answers(&p);
        peer_close(&p);
    }
}

static void conn_answers_nothing_after_a_refusal(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES("BAD\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    struct bytes took = peer_took(&p);
    assert_true(has(took, "HTTP/1.1 400 "));
    assert_false(has(took, "HTTP/1.1 200 "));
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    assert_bytes_equal(peer_took(&p), BYTES(""));
    peer_close(&p);
}

static void conn_reads_no_request_before_the_last_answer_has_left(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    p.stream.writes.rest = STREAM_AGAIN;
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    assert_false(conn_wants_read(p.conn));
    assert_true(conn_wants_write(p.conn));
    p.stream.writes.rest = MEMORY_ALL;
    conn_flush(p.conn);
    assert_true(conn_wants_read(p.conn));
    assert_false(conn_wants_write(p.conn));
    peer_close(&p);
}

static void conn_upgrades_behind_a_plain_request(void **state)
{
    (void)state;
    static const char in[] = "GET /healthz HTTP/1.1\r\n" HOST "\r\n"
                             "GET /ws HTTP/1.1\r\n" WS "Sec-WebSocket-Version: 13\r\n\r\n"
                             "\x81\x85\0\0\0\0hello";
    for (size_t size = 1; size < sizeof in; size++) {
        struct peer p;
        peer_open(&p);
        p.read_size = size;
        peer_say(&p, (struct bytes){(const uint8_t *)in, sizeof in - 1});
        assert_string_equal(p.told, "O:GET /ws HTTP/1.1 T:hello ");
        struct bytes took = peer_took(&p);
        assert_true(has(took, ONE));
        assert_bytes_equal(bytes_skip(took, took.len - peer_response.len), peer_response);
        peer_close(&p);
    }
}

static void conn_refuses_all_while_draining(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /healthz HTTP/1.1\r\n" HOST "\r\n", "GET / HTTP/1.1\r\n" HOST "\r\n",
        "GET / HTTP/1.1\r\n" WS "Sec-WebSocket-Version: 13\r\n\r\n"};
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct peer p;
        peer_open(&p);
        p.env.is_draining = true;
        peer_say(&p, bytes_of(requests[i]));
        struct bytes took = peer_took(&p);
        assert_true(has(took, "HTTP/1.1 503 Service Unavailable\r\n"));
        assert_true(has(took, "Connection: close\r\n"));
        assert_true(has(took, "Retry-After: "));
        assert_string_equal(p.told, "");
        assert_int_equal(p.stream.fins, 1);
        peer_close(&p);
    }
}

static void conn_refuses_with_503_whom_the_owner_cannot_take(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    p.on_open = -1;
    peer_say(&p, peer_request);
    assert_true(has(peer_took(&p), "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_false(conn_is_open(p.conn));
    assert_not_over(&p);
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

static void conn_counts_whom_it_is_too_busy_for(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES("GET /hook HTTP/1.1\r\n" HOST "\r\n"));
    peer_spend_sum(&p);
    conn_respond(p.conn,
                 &(struct answer){.status = 200, .body = {(uint8_t[1000]){0}, 1000}});
    peer_run(&p);
    assert_true(has(peer_took(&p), "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_int_equal(stats_read(&p.stats.refused), 1);
    peer_close(&p);
}

/* A HEAD that came before says nothing about the request behind it. */
static void conn_refuses_with_a_body_behind_a_head(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES("HEAD /healthz HTTP/1.1\r\n" HOST "\r\n"));
    (void)peer_took(&p);
    peer_say(&p, BYTES("\x16\x03\x01"));
    assert_true(has(peer_took(&p), "is it TLS to a port without?"));
    peer_close(&p);
}

static void conn_takes_a_head_at_its_limit(void **state)
{
    (void)state;
    for (size_t extra = 0; extra <= 1; extra++) {
        char in[PEER_HEAD_MAX + 2];
        memset(in, 'x', sizeof in);
        static const char first[] = "GET /healthz HTTP/1.1\r\n" HOST "a:";
        memcpy(in, first, sizeof first - 1);
        memcpy(in + PEER_HEAD_MAX + extra - 4, "\r\n\r\n", 4);
        for (size_t size = 1; size <= 1600; size *= 40) {
            struct peer p;
            peer_open(&p);
            p.read_size = size;
            peer_say(&p, (struct bytes){(uint8_t *)in, PEER_HEAD_MAX + extra});
            assert_true(has(peer_took(&p), extra ? "HTTP/1.1 431 " : "HTTP/1.1 200 "));
            peer_close(&p);
        }
    }
}

static void conn_finds_a_short_head_behind_a_long_one(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    p.read_size = 1;
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\n" HOST "a:" HUNDRED "\r\n\r\n"));
    (void)peer_took(&p);
    p.read_size = 512;
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    assert_true(has(peer_took(&p), ONE));
    peer_close(&p);
}

/* RFC 9112 2.2. */
static void conn_passes_over_empty_lines_at_every_split(void **state)
{
    (void)state;
    static const char in[] = "\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n";
    for (size_t size = 1; size < sizeof in; size++) {
        struct peer p;
        peer_open(&p);
        p.read_size = size;
        peer_say(&p, bytes_of(in));
        struct bytes took = peer_took(&p);
        if (!has(took, ONE))
            fail_msg("in parts of %zu bytes: %.*s", size, (int)took.len,
                     (const char *)took.at);
        peer_close(&p);
    }
}

static void conn_passes_over_an_empty_line_between_two_requests(void **state)
{
    (void)state;
    struct peer p;
    peer_open(&p);
    peer_say(&p, BYTES("GET /healthz HTTP/1.1\r\n" HOST "\r\n\r\n"
                       "GET /none HTTP/1.1\r\n" HOST "\r\n"));
    struct bytes took = peer_took(&p);
    assert_true(has(took, ONE));
    assert_true(has(took, "HTTP/1.1 404 "));
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(conn_answers_pipelined_requests_in_order_at_every_split),
        cmocka_unit_test(conn_answers_pipelined_requests_in_parts_of_every_size),
        cmocka_unit_test(conn_answers_nothing_after_a_refusal),
        cmocka_unit_test(conn_reads_no_request_before_the_last_answer_has_left),
        cmocka_unit_test(conn_upgrades_behind_a_plain_request),
        cmocka_unit_test(conn_refuses_all_while_draining),
        cmocka_unit_test(conn_refuses_with_503_whom_the_owner_cannot_take),
        cmocka_unit_test(conn_counts_whom_it_is_too_busy_for),
        cmocka_unit_test(conn_refuses_with_a_body_behind_a_head),
        cmocka_unit_test(conn_takes_a_head_at_its_limit),
        cmocka_unit_test(conn_finds_a_short_head_behind_a_long_one),
        cmocka_unit_test(conn_passes_over_empty_lines_at_every_split),
        cmocka_unit_test(conn_passes_over_an_empty_line_between_two_requests),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, rows, is_answered), others, sizeof others);
    return cmocka_run_group_tests_name("conn http", tests, NULL, NULL);
}
