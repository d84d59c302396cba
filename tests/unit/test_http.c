/* http: heads that are read, heads that are refused, and what is asked about them. */
#include "unit.h"
#include "wire/http.h"

struct row {
    const char *name;
    struct bytes head;
    int status;
};

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define END  "\r\n"

/* Refused rows differ from an accepted one in the one thing that their name says. */
static const struct row rows[] = {
    {"http_accepts_the_least", LITERAL(GET HOST END), 0},
    {"http_accepts_1_0_without_host", LITERAL("GET / HTTP/1.0\r\n" END), 0},
    {"http_accepts_a_later_minor", LITERAL("GET / HTTP/1.9\r\n" HOST END), 0},
    {"http_accepts_any_method", LITERAL("M-SEARCH / HTTP/1.1\r\n" HOST END), 0},
    {"http_accepts_an_empty_value", LITERAL(GET HOST "X:\r\n" END), 0},
    {"http_accepts_a_tab_in_a_value", LITERAL(GET HOST "X: a\tb\r\n" END), 0},
    {"http_accepts_bytes_above_127_in_a_value", LITERAL(GET HOST "X: \xC3\xB1\r\n" END),
     0},
    {"http_accepts_host_with_port", LITERAL(GET "Host: [::1]:7272\r\n" END), 0},
    {"http_accepts_absolute_form", LITERAL("GET http://a/x HTTP/1.1\r\n" HOST END), 0},
    {"http_accepts_equal_lengths",
     LITERAL(GET HOST "Content-Length: 5\r\ncontent-length: 5\r\n" END), 0},
    {"http_accepts_chunked", LITERAL(GET HOST "Transfer-Encoding: chunked\r\n" END), 0},

    {"http_accepts_a_method_of_one_letter", LITERAL("A / HTTP/1.1\r\n" HOST END), 0},

    {"http_rejects_nothing", LITERAL(""), 400},
    {"http_rejects_a_leading_line_end", LITERAL("\r\n" GET HOST END), 400},
    {"http_rejects_leading_space", LITERAL(" " GET HOST END), 400},
    {"http_rejects_no_method", LITERAL("/ HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_a_method_that_is_no_token", LITERAL("G@T / HTTP/1.1\r\n" HOST END),
     400},
    {"http_rejects_no_target", LITERAL("GET HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_no_version", LITERAL("GET /\r\n" HOST END), 400},
    {"http_rejects_two_spaces", LITERAL("GET  / HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_a_tab_for_a_space", LITERAL("GET\t/ HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_space_in_target", LITERAL("GET /a b HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_space_after_version", LITERAL("GET / HTTP/1.1 \r\n" HOST END), 400},
    {"http_rejects_nul_in_target", LITERAL("GET /\0 HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_del_in_target", LITERAL("GET /\x7F HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_bytes_above_127_in_target",
     LITERAL("GET /\xC3\xB1 HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_a_fragment", LITERAL("GET /#a HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_a_relative_target", LITERAL("GET a HTTP/1.1\r\n" HOST END), 400},
    {"http_accepts_the_asterisk_of_options", LITERAL("OPTIONS * HTTP/1.1\r\n" HOST END),
     0},
    {"http_rejects_the_asterisk_of_others", LITERAL("GET * HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_more_than_the_asterisk", LITERAL("OPTIONS *? HTTP/1.1\r\n" HOST END),
     400},
    {"http_rejects_another_scheme", LITERAL("GET ftp://a/ HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_no_authority", LITERAL("GET http:///a HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_user_info", LITERAL("GET http://u@a/ HTTP/1.1\r\n" HOST END), 400},
    {"http_rejects_version_in_small_letters", LITERAL("GET / http/1.1\r\n" HOST END),
     400},
    {"http_rejects_version_of_one_digit", LITERAL("GET / HTTP/1\r\n" HOST END), 400},
    {"http_rejects_version_of_three_digits", LITERAL("GET / HTTP/1.10\r\n" HOST END),
     400},
    {"http_rejects_version_that_is_no_number", LITERAL("GET / HTTP/1.x\r\n" HOST END),
     400},
    {"http_rejects_version_without_a_major", LITERAL("GET / HTTP/x.1\r\n" HOST END), 400},
    {"http_rejects_version_without_a_point", LITERAL("GET / HTTP/1x1\r\n" HOST END), 400},
    {"http_rejects_version_2_as_505", LITERAL("GET / HTTP/2.0\r\n" HOST END), 505},
    {"http_rejects_version_0_as_505", LITERAL("GET / HTTP/0.9\r\n" HOST END), 505},

    {"http_rejects_bare_lf_after_request", LITERAL("GET / HTTP/1.1\n" HOST END), 400},
    {"http_rejects_bare_cr_after_request", LITERAL("GET / HTTP/1.1\r" HOST END), 400},
    {"http_rejects_bare_lf_after_field", LITERAL(GET "Host: a\n" END), 400},
    {"http_rejects_bare_cr_in_value", LITERAL(GET HOST "X: a\rb\r\n" END), 400},
    {"http_rejects_bare_lf_in_value", LITERAL(GET HOST "X: a\nb\r\n" END), 400},
    {"http_rejects_nul_in_value", LITERAL(GET HOST "X: a\0b\r\n" END), 400},
    {"http_rejects_control_in_value", LITERAL(GET HOST "X: a\x01\r\n" END), 400},
    {"http_rejects_del_in_value", LITERAL(GET HOST "X: a\x7F\r\n" END), 400},
    {"http_rejects_folding", LITERAL(GET HOST "X: a\r\n b\r\n" END), 400},
    {"http_rejects_folding_with_tab", LITERAL(GET HOST "X: a\r\n\tb\r\n" END), 400},
    {"http_rejects_space_before_first_field", LITERAL(GET " " HOST END), 400},
    {"http_rejects_space_before_colon", LITERAL(GET HOST "X : a\r\n" END), 400},
    {"http_rejects_no_colon", LITERAL(GET HOST "X\r\n" END), 400},
    {"http_rejects_an_empty_name", LITERAL(GET HOST ": a\r\n" END), 400},
    {"http_rejects_a_name_that_is_no_token", LITERAL(GET HOST "X(: a\r\n" END), 400},
    {"http_rejects_nul_in_name", LITERAL(GET HOST "X\0: a\r\n" END), 400},
    {"http_rejects_bytes_after_the_end", LITERAL(GET HOST END "x"), 400},

    {"http_rejects_1_1_without_host", LITERAL(GET END), 400},
    {"http_rejects_two_hosts", LITERAL(GET HOST HOST END), 400},
    {"http_rejects_two_hosts_in_1_0", LITERAL("GET / HTTP/1.0\r\n" HOST HOST END), 400},
    {"http_rejects_an_empty_host", LITERAL(GET "Host:\r\n" END), 400},
    {"http_rejects_a_host_with_a_path", LITERAL(GET "Host: a/b\r\n" END), 400},
    {"http_rejects_two_hosts_in_one", LITERAL(GET "Host: a b\r\n" END), 400},
    {"http_rejects_differing_lengths",
     LITERAL(GET HOST "Content-Length: 5\r\nContent-Length: 6\r\n" END), 400},
    {"http_rejects_a_list_of_lengths", LITERAL(GET HOST "Content-Length: 5, 5\r\n" END),
     400},
    {"http_rejects_a_signed_length", LITERAL(GET HOST "Content-Length: +5\r\n" END), 400},
    {"http_rejects_an_empty_length", LITERAL(GET HOST "Content-Length:\r\n" END), 400},
    {"http_rejects_length_with_encoding",
     LITERAL(GET HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n" END), 400},
    {"http_rejects_encoding_in_1_0",
     LITERAL("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END), 400},
};

static const struct http_limits wide = {65536, HTTP_FIELDS_MAX};

static struct http_head parsed; /* large, so not on the stack */

static int parse(struct bytes head)
{
    memset(&parsed, 0x55, sizeof parsed);
    return http_head_parse(guarded(head), &wide, &parsed);
}

static void assert_parsed(const char *head)
{
    assert_int_equal(parse(bytes_of(head)), 0);
}

static void judges_row(void **state)
{
    const struct row *r = *state;
    assert_int_equal(parse(r->head), r->status);
    if (r->status != 0)
        return;
    for (size_t len = 0; len < r->head.len; len++)
        assert_int_equal(parse((struct bytes){r->head.at, len}), 400);
}

static void http_splits_the_request_line(void **state)
{
    (void)state;
    assert_parsed("POST /a%20b/c?x=1&y=?2 HTTP/1.1\r\n" HOST END);
    assert_bytes_equal(parsed.method, BYTES("POST"));
    assert_bytes_equal(parsed.target, BYTES("/a%20b/c?x=1&y=?2"));
    assert_bytes_equal(parsed.path, BYTES("/a%20b/c"));
    assert_bytes_equal(parsed.query, BYTES("x=1&y=?2"));
    assert_int_equal(parsed.minor, 1);
}

static void http_host_is_the_targets_or_the_fields(void **state)
{
    (void)state;
    assert_parsed("GET / HTTP/1.1\r\nHost: a:80\r\n" END);
    assert_bytes_equal(parsed.host, BYTES("a:80"));
    assert_parsed("GET http://b:8080/x HTTP/1.1\r\n" HOST END); /* RFC 9112 3.2.2 */
    assert_bytes_equal(parsed.host, BYTES("b:8080"));
    assert_parsed("GET HTTPS://[::1]?x HTTP/1.1\r\n" HOST END);
    assert_bytes_equal(parsed.host, BYTES("[::1]"));
    assert_parsed("GET / HTTP/1.0\r\n" END);
    assert_bytes_equal(parsed.host, BYTES(""));
}

static void http_query_may_be_missing_or_empty(void **state)
{
    (void)state;
    assert_parsed("GET /a HTTP/1.0\r\n" END);
    assert_bytes_equal(parsed.path, BYTES("/a"));
    assert_bytes_equal(parsed.query, BYTES(""));
    assert_int_equal(parsed.minor, 0);
    assert_parsed("GET /? HTTP/1.0\r\n" END);
    assert_bytes_equal(parsed.path, BYTES("/"));
    assert_bytes_equal(parsed.query, BYTES(""));
}

static void http_path_of_a_uri_follows_its_authority(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } cases[] = {{"http://a.b:80/c?d", "/c", "d"},
                 {"HTTPS://a/c", "/c", ""},
                 {"http://a", "/", ""},
                 {"http://a?d", "/", "d"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char head[100];
        snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n" HOST END, cases[i].target);
        assert_parsed(head);
        assert_bytes_equal(parsed.target, bytes_of(cases[i].target));
        assert_bytes_equal(parsed.path, bytes_of(cases[i].path));
        assert_bytes_equal(parsed.query, bytes_of(cases[i].query));
    }
}

static void http_keeps_fields_in_order_and_trims_values(void **state)
{
    (void)state;
    assert_parsed(GET HOST "A: 1\r\nb:\t 2 3 \t\r\nA:4\r\n" END);
    assert_int_equal(parsed.field_count, 4);
    static const char *const wanted[][2] = {
        {"Host", "a"}, {"A", "1"}, {"b", "2 3"}, {"A", "4"}};
    for (size_t i = 0; i < COUNT(wanted); i++) {
        assert_bytes_equal(parsed.fields[i].name, bytes_of(wanted[i][0]));
        assert_bytes_equal(parsed.fields[i].value, bytes_of(wanted[i][1]));
    }
}

/* Each byte in each place of a head, against the RFC's own lists. */
static void http_allows_exactly_the_bytes_of_the_rfc(void **state)
{
    (void)state;
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    for (unsigned c = 0; c < 256; c++) {
        bool letter = c && strchr(letters, (int)c);
        bool token = letter || (c && strchr("!#$%&'*+-.^_`|~", (int)c));
        bool host = letter || (c && strchr("-._~%!$&'()*+,;=:[]", (int)c));
        uint8_t method[] = "A? / HTTP/1.1\r\n" HOST END;
        uint8_t target[] = "GET /? HTTP/1.1\r\n" HOST END;
        uint8_t name[] = GET HOST "X?: a\r\n" END;
        uint8_t value[] = GET HOST "X: a?b\r\n" END;
        uint8_t where[] = GET "Host: a?b\r\n" END;
        const struct {
            uint8_t *head;
            size_t size;
            bool allowed;
        } places[] = {
            {method, sizeof method, token},
            {target, sizeof target, c > 32 && c < 127 && c != '#'},
            {name, sizeof name, token || c == ':'},
            {value, sizeof value, c == '\t' || (c >= 32 && c != 127)},
            {where, sizeof where, host},
        };
        for (size_t i = 0; i < COUNT(places); i++) {
            *(uint8_t *)memchr(places[i].head, '?', places[i].size) = (uint8_t)c;
            int status = parse((struct bytes){places[i].head, places[i].size - 1});
            if (status != (places[i].allowed ? 0 : 400))
                fail_msg("byte %u, place %zu: %d", c, i, status);
        }
    }
}

static void http_forgets_an_earlier_head(void **state)
{
    (void)state;
    assert_parsed(GET HOST "X: token\r\nContent-Length: 5\r\n" END);
    assert_int_equal(http_head_parse(BYTES(GET HOST END), &wide, &parsed), 0);
    assert_null(http_find(&parsed, "X"));
    assert_false(http_has_token(&parsed, "X", "token"));
    assert_false(http_has_body(&parsed));
    assert_parsed(GET "X: a\r\n" HOST "Content-Length: 6\r\n" END);
    assert_int_equal(http_head_parse(BYTES(GET HOST END), &wide, &parsed), 0);
    assert_parsed(GET "X: a\r\n" HOST "Content-Length: 6\r\n" END);
    struct bytes two = BYTES(GET HOST "Content-Length: 5\r\n" END);
    assert_int_equal(http_head_parse(two, &wide, &parsed), 0);
}

static void http_find_is_the_first_in_any_case(void **state)
{
    (void)state;
    assert_parsed(GET HOST "X-One: 1\r\nx-one: 2\r\n" END);
    assert_ptr_equal(http_find(&parsed, "x-ONE"), &parsed.fields[1]);
    assert_null(http_find(&parsed, "X-On"));
    assert_null(http_find(&parsed, "X-One2"));
}

static void http_has_token_reads_every_list(void **state)
{
    (void)state;
    assert_parsed(GET HOST "L: ,a, B ,c d\r\nM: x\r\nL: e\t,,f,\r\n" END);
    static const char *const in[] = {"a", "A", "b", "c d", "e", "f"};
    static const char *const out[] = {"", "c", "d", "x", "a, B", "ef"};
    for (size_t i = 0; i < COUNT(in); i++)
        assert_true(http_has_token(&parsed, "l", in[i]));
    for (size_t i = 1; i < COUNT(out); i++)
        assert_false(http_has_token(&parsed, "L", out[i]));
    assert_false(http_has_token(&parsed, "N", "a"));
}

static void http_body_follows_length_or_encoding(void **state)
{
    (void)state;
    assert_parsed(GET HOST END);
    assert_false(http_has_body(&parsed));
    assert_parsed(GET HOST "Content-Length: 00\r\n" END);
    assert_false(http_has_body(&parsed));
    assert_parsed(GET HOST "Content-Length: 10\r\n" END);
    assert_true(http_has_body(&parsed));
    assert_parsed(GET HOST "Content-Length: 99999999999999999999999999\r\n" END);
    assert_true(http_has_body(&parsed));
    assert_parsed(GET HOST "Transfer-Encoding: chunked\r\n" END);
    assert_true(http_has_body(&parsed));
}

static void http_keep_alive_depends_on_version(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool wanted;
    } cases[] = {
        {GET HOST END, true},
        {GET HOST "Connection: foo, Close\r\n" END, false},
        {"GET / HTTP/1.0\r\n" END, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END, true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_parsed(cases[i].head);
        assert_int_equal(http_keep_alive(&parsed), cases[i].wanted);
    }
}

static void http_rejects_a_head_over_its_limit_as_431(void **state)
{
    (void)state;
    struct bytes head = BYTES(GET HOST END);
    struct http_limits limits = {head.len, 10};
    assert_int_equal(http_head_parse(head, &limits, &parsed), 0);
    limits.head--;
    assert_int_equal(http_head_parse(head, &limits, &parsed), 431);
}

/* A head of Host and `more` fields, under a limit of `cap`. */
static int parse_many(size_t more, size_t cap)
{
    static char head[4096];
    size_t n = (size_t)snprintf(head, sizeof head, GET HOST);
    for (size_t i = 0; i < more; i++)
        n += (size_t)snprintf(head + n, sizeof head - n, "X: %zu\r\n", i);
    n += (size_t)snprintf(head + n, sizeof head - n, END);
    const struct http_limits limits = {sizeof head, cap};
    return http_head_parse((struct bytes){(uint8_t *)head, n}, &limits, &parsed);
}

static void http_rejects_too_many_fields_as_431(void **state)
{
    (void)state;
    assert_int_equal(parse_many(9, 10), 0);
    assert_int_equal(parse_many(10, 10), 431);
    assert_int_equal(parse_many(HTTP_FIELDS_MAX - 1, 100000), 0);
    assert_int_equal(parsed.field_count, HTTP_FIELDS_MAX);
    assert_int_equal(parse_many(HTTP_FIELDS_MAX, 100000), 431);
}

static void http_head_ends_at_the_first_blank_line(void **state)
{
    (void)state;
    struct bytes in = BYTES(GET HOST "X: \r\r\r\nY: \r\n" END "\r\n\r\nbody\r\n\r\n");
    size_t end = sizeof(GET HOST "X: \r\r\r\nY: \r\n" END) - 1;
    for (size_t len = 0; len <= in.len; len++)
        for (size_t from = 0; from <= len && from < end; from++) {
            struct bytes part = guarded((struct bytes){in.at, len});
            assert_int_equal(http_head_end(part, from), len < end ? 0 : end);
        }
}

/* A bare LF ends it: it is refused at once. */
static void http_head_of_line_ends_only_is_found(void **state)
{
    (void)state;
    assert_int_equal(http_head_end(guarded(BYTES("\r\n\r\n")), 0), 4);
    assert_int_equal(http_head_end(guarded(BYTES("GET /\nHost: h\n\n")), 0), 6);
}

/* RFC 6750 2.1, RFC 9110 11.1. */
static void http_bearer_is_just_the_secret(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *secret;
        bool wanted;
    } cases[] = {
        {"Authorization: Bearer s3cret\r\n", "s3cret", true},
        {"authorization: bEARER   s3cret\r\n", "s3cret", true},
        {"Authorization: Bearer s3cres\r\n", "s3cret", false},
        {"Authorization: Bearer s3cre\r\n", "s3cret", false},
        {"Authorization: Bearer s3crets\r\n", "s3cret", false},
        {"Authorization: Bearer S3CRET\r\n", "s3cret", false},
        {"Authorization: Basic s3cret\r\n", "s3cret", false},
        {"Authorization: s3cret\r\n", "s3cret", false},
        {"Authorization: Bearers3cret\r\n", "s3cret", false},
        {"Authorization: Bearer\r\n", "", false},
        {"Authorization: Bearer \r\n", "", false},
        {"Authorization: Bearer s3cret\r\n", "", false},
        {"", "s3cret", false},
        {"", "", false},
        {"Authorization: Bearer s3cret\r\nAuthorization: Bearer x\r\n", "s3cret", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char head[200];
        snprintf(head, sizeof head, "%s%s%s%s", GET, HOST, cases[i].fields, END);
        assert_parsed(head);
        assert_int_equal(http_has_bearer(&parsed, bytes_of(cases[i].secret)),
                         cases[i].wanted);
    }
}

static void http_has_a_reason_for_every_status_it_sends(void **state)
{
    (void)state;
    static const int sent[] = {101, 200, 204, 206, 304, 408, 400, 403, 404,
                               405, 413, 414, 426, 431, 500, 501, 503, 505};
    for (size_t i = 0; i < COUNT(sent); i++)
        assert_true(strlen(http_reason(sent[i])) > 1);
    assert_string_equal(http_reason(426), "Upgrade Required");
    assert_string_equal(http_reason(299), "");
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(http_splits_the_request_line),
        cmocka_unit_test(http_host_is_the_targets_or_the_fields),
        cmocka_unit_test(http_query_may_be_missing_or_empty),
        cmocka_unit_test(http_path_of_a_uri_follows_its_authority),
        cmocka_unit_test(http_keeps_fields_in_order_and_trims_values),
        cmocka_unit_test(http_allows_exactly_the_bytes_of_the_rfc),
        cmocka_unit_test(http_forgets_an_earlier_head),
        cmocka_unit_test(http_find_is_the_first_in_any_case),
        cmocka_unit_test(http_has_token_reads_every_list),
        cmocka_unit_test(http_body_follows_length_or_encoding),
        cmocka_unit_test(http_keep_alive_depends_on_version),
        cmocka_unit_test(http_rejects_a_head_over_its_limit_as_431),
        cmocka_unit_test(http_rejects_too_many_fields_as_431),
        cmocka_unit_test(http_head_ends_at_the_first_blank_line),
        cmocka_unit_test(http_head_of_line_ends_only_is_found),
        cmocka_unit_test(http_bearer_is_just_the_secret),
        cmocka_unit_test(http_has_a_reason_for_every_status_it_sends),
    };
    struct CMUnitTest table[COUNT(rows)];
    UNIT_ROWS(table, rows, judges_row);
    return cmocka_run_group_tests_name("http heads", table, NULL, NULL) +
           cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
