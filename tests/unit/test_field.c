/* field: which names and values the rules may use, and which are the connection's. */
#include "unit.h"
#include "wire/field.h"

static const struct row {
    const char *name;
    struct bytes field;
    bool of_request, of_response; /* reserved there */
} rows[] = {
    {"field_of_length_is_reserved", LITERAL("content-LENGTH"), true, true},
    {"field_of_coding_is_reserved", LITERAL("Transfer-Encoding"), true, true},
    {"field_of_connection_is_reserved", LITERAL("Connection"), true, true},
    {"field_of_keep_alive_is_reserved", LITERAL("Keep-Alive"), true, true},
    {"field_of_proxies_connection_is_reserved", LITERAL("Proxy-Connection"), true, true},
    {"field_of_trailers_is_reserved", LITERAL("Trailer"), true, true},
    {"field_of_upgrades_is_reserved", LITERAL("Upgrade"), true, true},
    {"field_of_host_is_reserved_in_requests", LITERAL("Host"), true, false},
    {"field_of_expectations_is_reserved_in_requests", LITERAL("Expect"), true, false},
    {"field_of_te_is_reserved_in_requests", LITERAL("te"), true, false},
    {"field_of_a_type_is_free", LITERAL("Content-Type"), false, false},
    {"field_that_begins_alike_is_free", LITERAL("Content-Length-2"), false, false},
    {"field_that_ends_early_is_free", LITERAL("Content-Lengt"), false, false},
};

static void judges_row(void **state)
{
    const struct row *r = *state;
    assert_int_equal(field_is_reserved(guarded(r->field), FIELD_OF_REQUEST),
                     r->of_request);
    assert_int_equal(field_is_reserved(guarded(r->field), FIELD_OF_RESPONSE),
                     r->of_response);
    assert_true(field_name_is_good(guarded(r->field)));
}

static void field_name_is_a_token(void **state)
{
    (void)state;
    assert_false(field_name_is_good(BYTES("")));
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t name[] = {'X', (uint8_t)c};
        bool token = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                     (c && strchr("!#$%&'*+-.^_`|~", (int)c));
        assert_int_equal(field_name_is_good((struct bytes){name, 2}), token);
    }
}

static void field_value_has_no_control_characters(void **state)
{
    (void)state;
    assert_true(field_value_is_good(BYTES("")));
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t value[] = {'x', (uint8_t)c};
        assert_int_equal(field_value_is_good((struct bytes){value, 2}),
                         c == '\t' || (c >= ' ' && c != 0x7F));
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 2] = {
        cmocka_unit_test(field_name_is_a_token),
        cmocka_unit_test(field_value_has_no_control_characters),
    };
    UNIT_ROWS(tests + 2, rows, judges_row);
    return cmocka_run_group_tests_name("field", tests, NULL, NULL);
}
