/* origin: whose a URL is, every kind of URL that parsers read differently, and which
 * pages a pattern means. */
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

static const struct pattern {
    const char *name, *pattern, *origin;
    bool fits;
} patterns[] = {
    {"origin_fits_itself", "https://a.test", "https://a.test", true},
    {"origin_fits_in_another_case", "HTTPS://A.test", "https://a.test", true},
    {"origin_fits_with_its_schemes_port", "https://a.test:443", "https://a.test", true},
    {"origin_fits_with_http_s_port", "http://a.test", "http://a.test:80", true},
    {"origin_fits_with_a_port", "http://a.test:8080", "http://a.test:8080", true},
    {"origin_fits_an_address", "http://[::1]:8080", "http://[::1]:8080", true},
    {"origin_fits_another_scheme", "capacitor://localhost", "capacitor://localhost",
     true},
    {"origin_fits_an_extension", "chrome-extension://abc", "chrome-extension://abc",
     true},
    {"origin_fits_any", "*", "nonsense", true},
    {"origin_fits_null_by_name", "null", "null", true},
    {"origin_fits_files_by_name", "file://", "file://", true},
    {"origin_fits_a_wildcard", "https://*.a.test", "https://b.a.test", true},
    {"origin_fits_a_wildcard_with_a_port", "http://*.a.test:81", "http://b.A.test:81",
     true},
    {"origin_of_another_scheme_does_not_fit", "https://a.test", "http://a.test", false},
    {"origin_of_another_port_does_not_fit", "https://a.test", "https://a.test:80", false},
    {"origin_without_the_port_does_not_fit", "https://a.test:80", "https://a.test",
     false},
    {"origin_of_another_host_does_not_fit", "https://a.test", "https://a.test.b", false},
    {"origin_behind_does_not_fit", "https://a.test", "https://b.a.test", false},
    {"origin_null_does_not_fit_files", "file://", "null", false},
    {"origin_null_does_not_fit_a_place", "https://null", "null", false},
    {"origin_of_two_labels_does_not_fit", "https://*.a.test", "https://c.b.a.test",
     false},
    {"origin_of_no_label_does_not_fit", "https://*.a.test", "https://a.test", false},
    {"origin_of_an_empty_label_does_not_fit", "https://*.a.test", "https://.a.test",
     false},
    {"origin_that_ends_alike_does_not_fit", "https://*.a.test", "https://ba.test", false},
    {"origin_with_a_path_does_not_fit", "https://a.test", "https://a.test/", false},
    {"origin_with_a_user_does_not_fit", "https://a.test", "https://a.test@b.test", false},
    {"origin_that_is_a_pattern_does_not_fit", "https://*.a.test", "https://*.a.test",
     false},
    {"origin_that_is_empty_does_not_fit", "https://a.test", "", false},
};

static void fits_row(void **state)
{
    const struct pattern *p = *state;
    char *allowed[] = {"https://other.test", (char *)(uintptr_t)p->pattern};
    assert_null(origin_fault(p->pattern));
    assert_int_equal(
        origin_is_allowed(guarded(bytes_of(p->origin)), BYTES("here.test"), allowed, 2),
        p->fits);
    assert_false(
        origin_is_allowed(guarded(bytes_of(p->origin)), BYTES("here.test"), allowed, 1));
}

static void origin_of_the_host_that_is_asked_is_allowed(void **state)
{
    (void)state;
    assert_true(origin_is_allowed(BYTES("http://a"), BYTES("A:7272"), NULL, 0));
    assert_true(origin_is_allowed(BYTES("https://a:1"), BYTES("a"), NULL, 0));
    assert_true(origin_is_allowed(BYTES("http://[::1]"), BYTES("[::1]:80"), NULL, 0));
    assert_false(origin_is_allowed(BYTES("http://ab"), BYTES("a:7272"), NULL, 0));
    assert_false(origin_is_allowed(BYTES("null"), BYTES("null"), NULL, 0));
    assert_false(origin_is_allowed(BYTES("file://"), BYTES(""), NULL, 0));
}

/* Each with a part of what is said instead. */
static const struct faulty {
    const char *name, *text, *say;
} faults[] = {
    {"origin_refuses_nothing", "", "https://example.org"},
    {"origin_refuses_a_host_alone", "example.org", "https://example.org"},
    {"origin_refuses_no_scheme", "://x", "https://example.org"},
    {"origin_refuses_no_host", "http://", "the host as browsers say it"},
    {"origin_refuses_a_path", "http://a/b", "nothing behind"},
    {"origin_refuses_a_slash", "http://a/", "nothing behind"},
    {"origin_refuses_a_query", "http://a?b", "nothing behind"},
    {"origin_refuses_a_user", "http://u@a", "nothing behind"},
    {"origin_refuses_a_port_that_is_none", "http://a:0", "the host as browsers say it"},
    {"origin_refuses_letters_beyond_ascii", "https://\xC3\xB1.test", "xn--"},
    {"origin_refuses_websocket_schemes", "wss://a.test", "the origin of the page"},
    {"origin_refuses_a_star_for_every_host", "https://*", "first"},
    {"origin_refuses_a_star_with_a_port", "https://*:8443", "first"},
    {"origin_refuses_a_star_in_a_label", "https://a*.test", "nothing behind"},
    {"origin_refuses_a_star_further_down", "https://*.*.test", "first"},
    {"origin_refuses_a_file", "file:///home/a.html", "without a path"},
};

static void says_what_would(void **state)
{
    const struct faulty *f = *state;
    const char *say = origin_fault(f->text);
    assert_non_null(say);
    assert_non_null(strstr(say, f->say));
}

int main(void)
{
    struct CMUnitTest tests[COUNT(urls) + COUNT(patterns) + COUNT(faults) + 4] = {
        cmocka_unit_test(url_of_the_longest_host_fits),
        cmocka_unit_test(url_has_a_length_limit),
        cmocka_unit_test(url_is_an_origin_without_anything_behind_it),
        cmocka_unit_test(origin_of_the_host_that_is_asked_is_allowed),
    };
    struct CMUnitTest *next = UNIT_ROWS(tests + 4, urls, reads_row);
    next = UNIT_ROWS(next, patterns, fits_row);
    UNIT_ROWS(next, faults, says_what_would);
    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
