/* proxy: what fields say of a client, from trusted proxies at 10.0.0.0/8, and what PROXY
 * headers say. */
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

#define V2   "\r\n\r\n\0\r\nQUIT\n"
#define INET "\xC0\x00\x02\x07\x7F\x00\x00\x01\x12\x34\x1C\x68"
#define ALPN "\x01\x00\x02h2"

/* 2.2.5: type 0x20, length, client bits, verify, TLVs of its own. */
static const struct header {
    const char *name;
    struct bytes in;
    const char *client; /* NULL: not said */
    int secure;         /* -1: not said */
    bool malformed;
} headers[] = {
    {"proxy_v1_says_a_client", LITERAL("PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n"),
     "192.0.2.7", -1, false},
    {"proxy_v1_unknown_says_nothing", LITERAL("PROXY UNKNOWN\r\n"), NULL, -1, false},
    {"proxy_v2_says_a_client", LITERAL(V2 "\x21\x11\x00\x0C" INET), "192.0.2.7", -1,
     false},
    {"proxy_v2_ssl_says_that_the_client_came_over_tls",
     LITERAL(V2 "\x21\x11\x00\x14" INET "\x20\x00\x05\x01\x00\x00\x00\x00"), "192.0.2.7",
     1, false},
    {"proxy_v2_ssl_with_a_certificate_and_tlvs_around_it",
     LITERAL(V2 "\x21\x11\x00\x21" INET ALPN "\x20\x00\x0D\x07\x00\x00\x00\x00"
                "\x21\x00\x05TLSv1"),
     "192.0.2.7", 1, false},
    {"proxy_v2_ssl_without_its_bit_says_that_the_client_came_without",
     LITERAL(V2 "\x21\x11\x00\x14" INET "\x20\x00\x05\x00\x00\x00\x00\x01"), "192.0.2.7",
     0, false},
    {"proxy_v2_other_bits_are_not_that_of_ssl",
     LITERAL(V2 "\x21\x11\x00\x14" INET "\x20\x00\x05\x06\x00\x00\x00\x00"), "192.0.2.7",
     0, false},
    {"proxy_v2_ssl_of_a_local_connection_says_nothing",
     LITERAL(V2 "\x20\x11\x00\x14" INET "\x20\x00\x05\x01\x00\x00\x00\x00"), NULL, -1,
     false},
    {"proxy_v2_ssl_of_an_unknown_family_says_nothing",
     LITERAL(V2 "\x21\x00\x00\x08\x20\x00\x05\x01\x00\x00\x00\x00"), NULL, -1, false},
    {"proxy_v2_ssl_within_another_tlv_is_no_ssl",
     LITERAL(V2 "\x21\x11\x00\x17" INET "\x04\x00\x08\x20\x00\x05\x01\x00\x00\x00\x00"),
     "192.0.2.7", -1, false},
    {"proxy_v2_ssl_without_all_of_its_fields_is_malformed",
     LITERAL(V2 "\x21\x11\x00\x13" INET "\x20\x00\x04\x01\x00\x00\x00"), NULL, -1, true},
    {"proxy_v2_tlv_beyond_the_header_is_malformed",
     LITERAL(V2 "\x21\x11\x00\x14" INET "\x20\x00\x06\x01\x00\x00\x00\x00"), NULL, -1,
     true},
    {"proxy_v2_tlv_without_its_length_is_malformed",
     LITERAL(V2 "\x21\x11\x00\x0E" INET "\x20\x00"), NULL, -1, true},
};

static void parses_header(void **state)
{
    const struct header *h = *state;
    char ip[ADDR_TEXT_MAX];
    struct proxy_said said = {.ignored = true};
    for (size_t n = 1; n < h->in.len; n++)
        assert_int_equal(proxy_parse(guarded((struct bytes){h->in.at, n}), &said), 0);
    assert_true(said.ignored); /* as it was */
    int used = proxy_parse(guarded(h->in), &said);
    assert_int_equal(used, h->malformed ? -1 : (int)h->in.len);
    if (h->malformed)
        return;
    assert_int_equal(said.has_client, h->client != NULL);
    if (h->client)
        assert_string_equal(addr_ip(&said.client, ip), h->client);
    assert_int_equal(said.has_scheme ? said.secure : -1, h->secure);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + COUNT(headers)];
    UNIT_ROWS(UNIT_ROWS(tests, rows, reads_row), headers, parses_header);
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
