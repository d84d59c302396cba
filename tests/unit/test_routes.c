/* routes: keys that are routes and keys that are none, and who is where. */
#include "unit.h"
#include "wire/routes.h"

static const struct row {
    const char *name;
    struct bytes key;
    const char *fault; /* how it begins */
} rows[] = {
    {"routes_accept_a_path", LITERAL("POST /hooks/alert"), NULL},
    {"routes_accept_the_root", LITERAL("GET /"), NULL},
    {"routes_accept_put", LITERAL("PUT /a"), NULL},
    {"routes_accept_patch", LITERAL("PATCH /a"), NULL},
    {"routes_accept_delete", LITERAL("DELETE /a"), NULL},
    {"routes_accept_what_is_encoded", LITERAL("GET /a%20b"), NULL},
    {"routes_reject_nothing", LITERAL(""), "the method has to be"},
    {"routes_reject_no_method", LITERAL("/a"), "the method has to be"},
    {"routes_reject_head", LITERAL("HEAD /a"), "the method has to be"},
    {"routes_reject_options", LITERAL("OPTIONS /a"), "the method has to be"},
    {"routes_reject_a_method_in_small_letters", LITERAL("get /a"),
     "the method has to be"},
    {"routes_reject_no_path", LITERAL("GET"), "the path has to begin with /"},
    {"routes_reject_an_empty_path", LITERAL("GET "), "the path has to begin with /"},
    {"routes_reject_two_spaces", LITERAL("GET  /a"), "the path has to begin with /"},
    {"routes_reject_a_relative_path", LITERAL("GET a"), "the path has to begin with /"},
    {"routes_reject_a_query", LITERAL("GET /a?b=c"), "a path has no ?"},
    {"routes_reject_a_fragment", LITERAL("GET /a#b"), "a path has no ?"},
    {"routes_reject_a_space", LITERAL("GET /a b"), "a path is ASCII"},
    {"routes_reject_a_line_end", LITERAL("GET /a\n"), "a path is ASCII"},
    {"routes_reject_nul", LITERAL("GET /a\0"), "a path is ASCII"},
    {"routes_reject_what_is_not_ascii", LITERAL("GET /\xC3\xB1"), "a path is ASCII"},
    {"routes_reject_the_servers_own", LITERAL("GET /healthz"), "/healthz is"},
};

static void judges_row(void **state)
{
    const struct row *r = *state;
    const char *fault = routes_fault(guarded(r->key));
    if (!r->fault)
        assert_null(fault);
    else
        assert_memory_equal(fault, r->fault, strlen(r->fault));
}

static void routes_reject_a_long_key(void **state)
{
    (void)state;
    char key[ROUTE_KEY_MAX + 1];
    memset(key, 'a', sizeof key);
    memcpy(key, "GET /", 5);
    assert_null(routes_fault((struct bytes){(uint8_t *)key, ROUTE_KEY_MAX}));
    assert_non_null(routes_fault((struct bytes){(uint8_t *)key, ROUTE_KEY_MAX + 1}));
}

#define LIST "GET /a\nPOST /a/b\nDELETE /a\nPUT /\nPOST /a\n"

static void assert_allows(const char *path, const char *allow)
{
    char got[ROUTES_ALLOW_SIZE];
    routes_allow(routes_methods(guarded(BYTES(LIST)), bytes_of(path)), got);
    assert_string_equal(got, allow);
}

static void routes_find_the_methods_of_just_that_path(void **state)
{
    (void)state;
    assert_allows("/a", "Allow: GET, HEAD, POST, DELETE\r\n");
    assert_allows("/a/b", "Allow: POST\r\n");
    assert_allows("/", "Allow: PUT\r\n");
    static const char *const others[] = {"", "/a/", "/A", "/b", "/a/b/c", "a"};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(routes_methods(BYTES(LIST), bytes_of(others[i])), 0);
    assert_int_equal(routes_methods(BYTES(""), BYTES("")), 0);
}

static void routes_take_head_where_get_is(void **state)
{
    (void)state;
    unsigned a = routes_methods(BYTES(LIST), BYTES("/a"));
    unsigned b = routes_methods(BYTES(LIST), BYTES("/a/b"));
    assert_true(routes_takes(a, BYTES("GET")) && routes_takes(a, BYTES("HEAD")));
    assert_true(routes_takes(a, BYTES("POST")) && routes_takes(b, BYTES("POST")));
    assert_false(routes_takes(b, BYTES("GET")) || routes_takes(b, BYTES("HEAD")));
    assert_false(routes_takes(a, BYTES("PUT")) || routes_takes(a, BYTES("post")) ||
                 routes_takes(a, BYTES("OPTIONS")) || routes_takes(a, BYTES("")));
}

static void routes_allow_has_room_for_all_methods(void **state)
{
    (void)state;
    char got[ROUTES_ALLOW_SIZE];
    routes_allow(
        routes_methods(BYTES("GET /\nPOST /\nPUT /\nPATCH /\nDELETE /\n"), BYTES("/")),
        got);
    assert_string_equal(got, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE\r\n");
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(routes_reject_a_long_key),
        cmocka_unit_test(routes_find_the_methods_of_just_that_path),
        cmocka_unit_test(routes_take_head_where_get_is),
        cmocka_unit_test(routes_allow_has_room_for_all_methods),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, rows, judges_row), others, sizeof others);
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
