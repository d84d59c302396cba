/* upgrade: every check of RFC 6455 4.2.1, and the captured response byte for byte. */
#include "unit.h"
#include "wire/upgrade.h"

#define LINE       "GET /chat HTTP/1.1\r\n"
#define HOST       "Host: server.example.com\r\n"
#define UP         "Upgrade: websocket\r\n"
#define CONN       "Connection: Upgrade\r\n"
#define KEY        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VER        "Sec-WebSocket-Version: 13\r\n"
#define GIVEN(key) LINE HOST UP CONN "Sec-WebSocket-Key: " key "\r\n" VER

struct row {
    const char *name;
    const char *head; /* without its blank line */
    int status;       /* 0: accepted */
    bool asked;
};

static const struct row rows[] = {
    {"upgrade_accepts_the_rfc_example", LINE HOST UP CONN KEY VER, 0, true},
    {"upgrade_accepts_tokens_in_any_case",
     LINE HOST "upgrade: foo, WebSocket\r\nCONNECTION: keep-alive, UPGRADE\r\n" KEY VER,
     0, true},
    {"upgrade_accepts_an_empty_body", LINE HOST UP CONN KEY VER "Content-Length: 0\r\n",
     0, true},
    {"upgrade_accepts_any_base64_letters", GIVEN("azAZ09+/azAZ09+/azAZ0A=="), 0, true},
    {"upgrade_is_not_asked_by_a_plain_get", LINE HOST, 400, false},
    {"upgrade_to_h2c_is_not_asked", LINE HOST "Upgrade: h2c\r\n" CONN, 400, false},
    {"upgrade_rejects_post", "POST / HTTP/1.1\r\n" HOST UP CONN KEY VER, 405, true},
    {"upgrade_rejects_get_in_small_letters", "get / HTTP/1.1\r\n" HOST UP CONN KEY VER,
     405, true},
    {"upgrade_rejects_http_1_0", "GET / HTTP/1.0\r\n" HOST UP CONN KEY VER, 400, true},
    {"upgrade_rejects_a_body", LINE HOST UP CONN KEY VER "Content-Length: 1\r\n", 400,
     true},
    {"upgrade_rejects_a_chunked_body",
     LINE HOST UP CONN KEY VER "Transfer-Encoding: chunked\r\n", 400, true},
    {"upgrade_rejects_no_upgrade", LINE HOST CONN KEY VER, 400, true},
    {"upgrade_rejects_another_protocol", LINE HOST "Upgrade: websockets\r\n" CONN KEY VER,
     400, true},
    {"upgrade_rejects_no_connection", LINE HOST UP KEY VER, 400, true},
    {"upgrade_rejects_connection_without_upgrade",
     LINE HOST UP "Connection: keep-alive\r\n" KEY VER, 400, true},
    {"upgrade_rejects_no_version", LINE HOST UP CONN KEY, 426, true},
    {"upgrade_rejects_version_8", LINE HOST UP CONN KEY "Sec-WebSocket-Version: 8\r\n",
     426, true},
    {"upgrade_rejects_version_013",
     LINE HOST UP CONN KEY "Sec-WebSocket-Version: 013\r\n", 426, true},
    {"upgrade_rejects_two_versions",
     LINE HOST UP CONN KEY VER "Sec-WebSocket-Version: 8\r\n", 426, true},
    {"upgrade_rejects_no_key", LINE HOST UP CONN VER, 400, true},
    {"upgrade_rejects_two_keys", LINE HOST UP CONN KEY KEY VER, 400, true},
    {"upgrade_rejects_an_empty_key", GIVEN(""), 400, true},
    {"upgrade_rejects_a_key_of_15_bytes", GIVEN("dGhlIHNhbXBsZSBub25j"), 400, true},
    {"upgrade_rejects_a_key_of_17_bytes", GIVEN("dGhlIHNhbXBsZSBub25jZWU="), 400, true},
    {"upgrade_rejects_a_key_of_18_bytes", GIVEN("dGhlIHNhbXBsZSBub25jZWVl"), 400, true},
    {"upgrade_rejects_a_key_without_pads", GIVEN("dGhlIHNhbXBsZSBub25jZQ"), 400, true},
    {"upgrade_rejects_a_key_with_three_pads", GIVEN("dGhlIHNhbXBsZSBub25jZ==="), 400,
     true},
    {"upgrade_rejects_a_key_with_a_pad_too_early", GIVEN("dGhlIHNhbXBsZSBub25jZQ=A"), 400,
     true},
    {"upgrade_rejects_a_key_that_opens_wrong", GIVEN("@GhlIHNhbXBsZSBub25jZQ=="), 400,
     true},
    {"upgrade_rejects_a_key_that_is_not_base64", GIVEN("dGhlIHNhb-BsZSBub25jZQ=="), 400,
     true},
};

static struct http_head parsed;

static void parse(const char *lines)
{
    static char head[2048];
    size_t len = (size_t)snprintf(head, sizeof head, "%s\r\n", lines);
    const struct http_limits limits = {sizeof head, HTTP_FIELDS_MAX};
    struct bytes in = guarded((struct bytes){(uint8_t *)head, len});
    assert_int_equal(http_head_parse(in, &limits, &parsed), 0);
}

static void judges_row(void **state)
{
    const struct row *r = *state;
    parse(r->head);
    assert_int_equal(upgrade_is_asked(&parsed), r->asked);
    char accept[UPGRADE_ACCEPT_SIZE] = "untouched";
    struct upgrade_refusal refusal = {0, NULL};
    assert_int_equal(upgrade_check(&parsed, accept, &refusal), r->status ? -1 : 0);
    assert_int_equal(refusal.status, r->status);
    if (r->status) {
        assert_non_null(refusal.why);
        assert_string_equal(accept, "untouched");
    } else {
        assert_int_equal(strlen(accept), 28);
    }
}

static void upgrade_makes_the_rfc_accept(void **state)
{
    (void)state;
    parse(LINE HOST UP CONN KEY VER);
    char accept[UPGRADE_ACCEPT_SIZE];
    struct upgrade_refusal refusal;
    assert_int_equal(upgrade_check(&parsed, accept, &refusal), 0);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455 1.3 */
}

/* The request and the response that the protocol's first server was seen to exchange. */
static void upgrade_answers_the_captured_bytes(void **state)
{
    (void)state;
    static const char wanted[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: nSsCeIBUsFnDJCRb/BNlFzBUDpM=\r\n\r\n";
    parse("GET / HTTP/1.1\r\nHost: 127.0.0.1:7272\r\nSec-WebSocket-Version: 13\r\n"
          "Origin: http://127.0.0.1:55151\r\n"
          "Sec-WebSocket-Key: zPDr6m4czzUdOFnsxIUEAw==\r\n"
          "Connection: keep-alive, Upgrade\r\nPragma: no-cache\r\n"
          "Cache-Control: no-cache\r\nUpgrade: websocket\r\n");
    char accept[UPGRADE_ACCEPT_SIZE], out[512];
    struct upgrade_refusal refusal;
    assert_int_equal(upgrade_check(&parsed, accept, &refusal), 0);
    size_t len = upgrade_write(out, sizeof out, accept, NULL, NULL);
    assert_int_equal(len, 156);
    assert_bytes_equal((struct bytes){(uint8_t *)out, len}, BYTES(wanted));
}

static void upgrade_key_is_of_base64_letters_only(void **state)
{
    (void)state;
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
    for (int c = '!'; c <= '~'; c++) {
        char lines[300], accept[UPGRADE_ACCEPT_SIZE];
        struct upgrade_refusal refusal;
        snprintf(lines, sizeof lines,
                 "%sSec-WebSocket-Key: dGhlIHNhbXBsZSBub25j%cQ==\r\n",
                 LINE HOST UP CONN VER, c);
        parse(lines);
        assert_int_equal(upgrade_check(&parsed, accept, &refusal),
                         strchr(letters, c) ? 0 : -1);
    }
}

static void upgrade_rejects_a_head_without_host(void **state)
{
    (void)state;
    char accept[UPGRADE_ACCEPT_SIZE];
    struct upgrade_refusal refusal;
    parse(LINE HOST UP CONN KEY VER);
    parsed.fields[0].name = BYTES("X");
    assert_int_equal(upgrade_check(&parsed, accept, &refusal), -1);
    assert_int_equal(refusal.status, 400);
}

static void upgrade_names_protocol_and_extensions(void **state)
{
    (void)state;
    static const char accept[UPGRADE_ACCEPT_SIZE] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    static const struct {
        const char *protocol, *extensions, *tail;
    } cases[] = {
        {"chat", NULL, "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"},
        {NULL, "x; y", "\r\nSec-WebSocket-Extensions: x; y\r\n\r\n"},
        {"chat", "x",
         "\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x\r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[512];
        size_t len = upgrade_write(out, sizeof out, accept, cases[i].protocol,
                                   cases[i].extensions);
        struct bytes got = {(uint8_t *)out, len};
        assert_int_equal(len, 152 + strlen(cases[i].tail));
        assert_bytes_equal(bytes_skip(got, 152), bytes_of(cases[i].tail));
    }
}

static void upgrade_writes_nothing_over_the_size(void **state)
{
    (void)state;
    static const char accept[UPGRADE_ACCEPT_SIZE] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    static const uint8_t blank[UPGRADE_WRITE_MIN];
    for (size_t size = 0; size <= UPGRADE_WRITE_MIN; size++) {
        char *out = (char *)guard_copy((struct bytes){blank, size});
        assert_int_equal(upgrade_write(out, size, accept, NULL, NULL),
                         size < UPGRADE_WRITE_MIN ? 0 : UPGRADE_WRITE_MIN);
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 6] = {
        cmocka_unit_test(upgrade_makes_the_rfc_accept),
        cmocka_unit_test(upgrade_answers_the_captured_bytes),
        cmocka_unit_test(upgrade_key_is_of_base64_letters_only),
        cmocka_unit_test(upgrade_rejects_a_head_without_host),
        cmocka_unit_test(upgrade_names_protocol_and_extensions),
        cmocka_unit_test(upgrade_writes_nothing_over_the_size),
    };
    UNIT_ROWS(tests + 6, rows, judges_row);
    return cmocka_run_group_tests_name("upgrade", tests, NULL, NULL);
}
