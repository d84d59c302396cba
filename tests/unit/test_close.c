/* close: which codes a peer may send, and what a payload says. */
#include "unit.h"
#include "wire/close.h"

struct payload {
    const char *name;
    struct bytes in;
    int refused;
    uint16_t code;
    struct bytes reason;
};

#define X41 "0123456789012345678901234567890123456789\xC3\xB1"

static const struct payload payloads[] = {
    {"close_without_payload_has_no_status", LITERAL(""), 0, 1005, LITERAL("")},
    {"close_may_lack_a_reason", LITERAL("\x03\xE8"), 0, 1000, LITERAL("")},
    {"close_has_a_reason", LITERAL("\x03\xE9" X41), 0, 1001, LITERAL(X41)},
    {"close_takes_a_private_code", LITERAL("\x0F\xA0ok"), 0, 4000, LITERAL("ok")},
    {"close_takes_service_restart", LITERAL("\x03\xF4"), 0, 1012, LITERAL("")},
    {"close_takes_bad_gateway", LITERAL("\x03\xF6up"), 0, 1014, LITERAL("up")},
    {"close_rejects_a_lone_byte", LITERAL("\x03"), 1002, 0, LITERAL("")},
    {"close_rejects_code_0", LITERAL("\0\0"), 1002, 0, LITERAL("")},
    {"close_rejects_code_1005", LITERAL("\x03\xED"), 1002, 0, LITERAL("")},
    {"close_rejects_bad_utf8", LITERAL("\x03\xE8\xFF"), 1007, 0, LITERAL("")},
    {"close_rejects_cut_utf8",
     LITERAL("\x03\xE8"
             "a\xC3"),
     1007, 0, LITERAL("")},
    {"close_judges_the_code_first", LITERAL("\x03\xED\xFF"), 1002, 0, LITERAL("")},
};

static void reads_row(void **state)
{
    const struct payload *p = *state;
    uint16_t code = 7;
    struct bytes reason = {NULL, 7};
    assert_int_equal(close_payload_parse(guarded(p->in), &code, &reason), p->refused);
    if (p->refused) {
        assert_int_equal(code, 7);
        assert_int_equal(reason.len, 7);
    } else {
        assert_int_equal(code, p->code);
        assert_bytes_equal(reason, p->reason);
    }
}

/* Runs of codes and whether they are valid, from the first code of each to the next's. */
static const struct {
    unsigned from;
    bool valid;
} runs[] = {{0, false},    {1000, true}, {1004, false}, {1007, true},
            {1015, false}, {3000, true}, {5000, false}, {65536, false}};

static void close_code_is_valid_as_in_the_registry(void **state)
{
    (void)state;
    for (size_t run = 0; run + 1 < COUNT(runs); run++)
        for (unsigned code = runs[run].from; code < runs[run + 1].from; code++)
            if (close_code_is_valid(code) != runs[run].valid)
                fail_msg("code %u", code);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(payloads) + 1] = {
        cmocka_unit_test(close_code_is_valid_as_in_the_registry),
    };
    UNIT_ROWS(tests + 1, payloads, reads_row);
    return cmocka_run_group_tests_name("close", tests, NULL, NULL);
}
