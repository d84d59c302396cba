/* origin: whose a URL is, and every kind of URL that parsers read differently. */
#include "unit.h"
#include "wire/origin.h"

static const struct url {
    const char *name;
    struct bytes url;
    const char *origin; /* NULL: none */
} urls[] = {
    {"url_of_a_plain_host", LITERAL("http://example.org"), "http://example.org"},
    {"url_of_a_path", LITERAL("https://example.org/a/b?c=d#e"), "https://example.org"},
    {"url_of_a_query_without_a_path", LITERAL("https://a?b=//c"), "https://a"},
    {"url_of_a_fragment_without_a_path", LITERAL("https://a#@c"), "https://a"},
    {"url_in_capitals", LITERAL("HTTPS://Example.ORG/A"), "https://example.org"},
    {"url_with_a_port", LITERAL("http://a:8080/"), "http://a:8080"},
    {"url_with_the_port_of_its_scheme", LITERAL("http://a:80/"), "http://a"},
    {"url_with_the_port_of_tls", LITERAL("https://a:443"), "https://a"},
    {"url_with_the_port_of_the_other_scheme", LITERAL("http://a:443"), "http://a:443"},
    {"url_with_zeros_in_its_port", LITERAL("http://a:00080/"), "http://a"},
    {"url_of_an_address", LITERAL("http://127.0.0.1:1/"), "http://127.0.0.1:1"},
    {"url_of_an_ipv6_address", LITERAL("http://[::1]:8080/x"), "http://[::1]:8080"},
    {"url_of_an_ipv4_in_ipv6", LITERAL("http://[::FFFF:1.2.3.4]"),
     "http://[::ffff:1.2.3.4]"},
    {"url_with_an_at_in_its_path", LITERAL("http://a/@b"), "http://a"},
    {"url_of_nothing", LITERAL(""), NULL},
    {"url_of_a_path_alone", LITERAL("/a"), NULL},
    {"url_without_a_scheme", LITERAL("//a/b"), NULL},
    {"url_of_another_scheme", LITERAL("file:///etc/passwd"), NULL},
    {"url_of_ftp", LITERAL("ftp://a/"), NULL},
    {"url_of_a_scheme_alone", LITERAL("http://"), NULL},
    {"url_of_half_a_scheme", LITERAL("http:/a"), NULL},
    {"url_of_three_slashes", LITERAL("http:///a"), NULL},
    {"url_with_a_user", LITERAL("http://a@b/"), NULL},
    {"url_with_a_user_and_a_password", LITERAL("http://a:b@c/"), NULL},
    {"url_with_a_port_before_an_at", LITERAL("http://a:80@b/"), NULL},
    {"url_with_a_backslash", LITERAL("http://a\\@b/"), NULL},
    {"url_with_a_backslash_in_its_path", LITERAL("http://a/\\"), "http://a"},
    {"url_with_an_encoded_host", LITERAL("http://%61/"), NULL},
    {"url_with_a_space", LITERAL("http://a/b c"), NULL},
    {"url_with_a_line_break", LITERAL("http://a/\r\nHost: b"), NULL},
    {"url_with_a_tab_in_its_host", LITERAL("http://a\tb/"), NULL},
    {"url_with_a_nul", LITERAL("http://a\0b/"), NULL},
    {"url_that_is_not_ascii", LITERAL("http://\xC3\xB1/"), NULL},
    {"url_with_a_path_that_is_not_ascii", LITERAL("http://a/\xC3\xB1"), NULL},
    {"url_with_no_port_behind_the_colon", LITERAL("http://a:/"), NULL},
    {"url_with_port_0", LITERAL("http://a:0/"), NULL},
    {"url_with_port_65536", LITERAL("http://a:65536/"), NULL},
    {"url_with_a_port_of_6_digits", LITERAL("http://a:000080/"), NULL},
    {"url_with_a_port_of_letters", LITERAL("http://a:8o/"), NULL},
    {"url_with_open_brackets", LITERAL("http://[::1"), NULL},
    {"url_with_empty_brackets", LITERAL("http://[]/"), NULL},
    {"url_with_a_zone", LITERAL("http://[fe80::1%25lo]/"), NULL},
    {"url_with_something_behind_the_brackets", LITERAL("http://[::1]a/"), NULL},
};

static void reads_row(void **state)
{
    const struct url *u = *state;
    char origin[ORIGIN_MAX] = "unset";
    int n = origin_of_url(guarded(u->url), origin);
    if (!u->origin) {
        assert_int_equal(n, -1);
        return;
    }
    assert_string_equal(origin, u->origin);
    assert_true(n > 0 && (size_t)n <= u->url.len);
    for (size_t cut = 0; cut < u->url.len; cut++) /* reads nothing behind the end */
        (void)origin_of_url(guarded((struct bytes){u->url.at, cut}), origin);
}

static void url_of_the_longest_host_fits(void **state)
{
    (void)state;
    char text[400] = "https://", origin[ORIGIN_MAX];
    memset(text + 8, 'a', 253);
    memcpy(text + 8 + 253, ":65535", 7);
    assert_true(origin_is_service(text));
    assert_int_equal(origin_of_url(bytes_of(text), origin), strlen(text));
    assert_string_equal(origin, text);
    memset(text + 8, 'a', 254);
    text[8 + 254] = 0;
    assert_false(origin_is_service(text));
}

static void url_has_a_length_limit(void **state)
{
    (void)state;
    static char text[ORIGIN_URL_MAX + 2];
    char origin[ORIGIN_MAX];
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "http://a/", 9);
    assert_int_equal(
        origin_of_url((struct bytes){(uint8_t *)text, ORIGIN_URL_MAX}, origin), 8);
    assert_int_equal(
        origin_of_url((struct bytes){(uint8_t *)text, ORIGIN_URL_MAX + 1}, origin), -1);
}

static void url_is_an_origin_without_anything_behind_it(void **state)
{
    (void)state;
    assert_true(origin_is_service("https://example.org:8443"));
    assert_false(origin_is_service("https://example.org/"));
    assert_false(origin_is_service("https://example.org?"));
    assert_false(origin_is_service("example.org"));
    assert_false(origin_is_service("*"));
}

int main(void)
{
    struct CMUnitTest tests[COUNT(urls) + 3] = {
        cmocka_unit_test(url_of_the_longest_host_fits),
        cmocka_unit_test(url_has_a_length_limit),
        cmocka_unit_test(url_is_an_origin_without_anything_behind_it),
    };
    UNIT_ROWS(tests + 3, urls, reads_row);
    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
