/* proxy: what fields say of a client, from trusted proxies at 10.0.0.0/8. */
#include "unit.h"
#include "wire/proxy.h"

static const struct row {
    const char *name, *fields;
    const char *client, *host; /* NULL: not said */
    int secure;                /* -1: not said */
    bool ignored;
} rows[] = {
    {"proxy_says_nothing", "", NULL, NULL, -1, false},
    {"proxy_says_x_fields",
     "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
     "a:1\r\n",
     "192.0.2.7", "a:1", 1, false},
    {"proxy_says_scheme_and_host_alone",
     "X-Forwarded-Proto: HTTP\r\nX-Forwarded-Host: a\r\n", NULL, "a", 0, false},
    {"proxy_says_websocket_schemes", "X-Forwarded-Proto: wss\r\n", NULL, NULL, 1, false},
    {"proxy_says_ws", "X-Forwarded-Proto: ws\r\n", NULL, NULL, 0, false},
    {"proxy_says_an_unknown_scheme", "X-Forwarded-Proto: gopher\r\n", NULL, NULL, -1,
     false},
    {"proxy_says_a_host_that_is_none", "X-Forwarded-Host: a/b\r\n", NULL, NULL, -1,
     false},
    {"proxy_lists_are_read_from_their_end",
     "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\nX-Forwarded-Proto: http, https\r\n"
     "X-Forwarded-Host: evil, a\r\n",
     "192.0.2.7", "a", 1, false},
    {"proxy_lists_of_two_proxies_say_what_the_outer_one_saw",
     "X-Forwarded-For: 192.0.2.7, 10.0.0.1\r\nX-Forwarded-Proto: https, http\r\n"
     "X-Forwarded-Host: a, inner\r\n",
     "192.0.2.7", "a", 1, false},
    {"proxy_lists_that_are_shorter_say_their_first",
     "X-Forwarded-For: 192.0.2.7, 10.0.0.1, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n",
     "192.0.2.7", NULL, 1, false},
    {"proxy_lists_may_have_lines_of_their_own",
     "X-Forwarded-Host: a\r\nX-Forwarded-Host: inner\r\nX-Forwarded-For: 192.0.2.7\r\n"
     "X-Forwarded-For: 10.0.0.1\r\n",
     "192.0.2.7", "a", -1, false},
    {"proxy_forwarded_says_all",
     "Forwarded: for=192.0.2.7;proto=https;host=\"a:1\";by=10.0.0.1\r\n", "192.0.2.7",
     "a:1", 1, false},
    {"proxy_forwarded_of_the_outer_one_counts",
     "Forwarded: for=1.2.3.4;proto=http;host=evil, for=192.0.2.7;proto=https;host=a,"
     " for=10.0.0.1;proto=http;host=inner\r\n",
     "192.0.2.7", "a", 1, false},
    {"proxy_forwarded_without_a_client", "Forwarded: for=_x;PROTO=https;Host=a\r\n", NULL,
     "a", 1, false},
    {"proxy_forwarded_is_not_read_in_quotes",
     "Forwarded: for=192.0.2.7;host=\"x;proto=https\"\r\n", "192.0.2.7", "x;proto=https",
     -1, false},
    {"proxy_forwarded_is_not_cut_in_quotes",
     "Forwarded: for=192.0.2.7;host=\"x, for=1.2.3.4\"\r\n", "192.0.2.7", NULL, -1,
     false},
    {"proxy_forwarded_that_never_ends", "Forwarded: for=\"192.0.2.7;proto=https\r\n",
     NULL, NULL, -1, false},
    {"proxy_forwarded_beside_x_forwarded_for_does_not_count",
     "Forwarded: for=1.2.3.4;proto=https;host=evil\r\nX-Forwarded-For: 192.0.2.7\r\n",
     "192.0.2.7", NULL, -1, true},
    {"proxy_forwarded_counts_beside_other_x_fields",
     "Forwarded: for=192.0.2.7\r\nX-Forwarded-Proto: https\r\n", "192.0.2.7", NULL, -1,
     false},
};

static void reads_row(void **state)
{
    static struct http_head head;
    const struct row *r = *state;
    char text[1024], ip[ADDR_TEXT_MAX];
    struct proxy_said said;
    struct cidr trusted;
    assert_int_equal(cidr_parse("10.0.0.0/8", &trusted), 0);
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", r->fields);
    assert_int_equal(
        http_head_parse(guarded(bytes_of(text)), &(struct http_limits){4096, 32}, &head),
        0);
    proxy_read(&head, &trusted, 1, &said);
    assert_int_equal(said.has_client, r->client != NULL);
    if (r->client)
        assert_string_equal(addr_ip(&said.client, ip), r->client);
    assert_bytes_equal(said.host, bytes_of(r->host ? r->host : ""));
    assert_int_equal(said.has_scheme ? said.secure : -1, r->secure);
    assert_int_equal(said.ignored, r->ignored);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows)];
    UNIT_ROWS(tests, rows, reads_row);
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
