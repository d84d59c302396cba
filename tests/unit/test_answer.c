/* answer: whole HTTP responses, byte by byte. */
#include "unit.h"
#include "wire/answer.h"

#include <time.h>

#define REST "\r\nX-Content-Type-Options: nosniff\r\n"
#define TEXT "Content-Type: text/plain; charset=utf-8\r\n"

static const struct row {
    const char *name;
    struct answer answer;
    const char *wanted;
} rows[] = {
    {"answer_tells_type_and_length",
     {.status = 200, .type = "text/css", .body = LITERAL("a{}"), .keep_alive = true},
     "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 3" REST "\r\na{}"},
    {"answer_is_text_unless_told",
     {.status = 200, .body = LITERAL("ok\n"), .keep_alive = true},
     "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 3" REST "\r\nok\n"},
    {"answer_says_when_it_is_the_last",
     {.status = 200, .body = LITERAL("ok\n")},
     "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 3" REST "Connection: close\r\n\r\nok\n"},
    {"answer_to_head_tells_the_length_alone",
     {.status = 200, .body = LITERAL("ok\n"), .head_only = true, .keep_alive = true},
     "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 3" REST "\r\n"},
    {"answer_tells_the_time",
     {.status = 200, .date = "Sun, 06 Nov 1994 08:49:37 GMT", .keep_alive = true},
     "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" TEXT
     "Content-Length: 0" REST "\r\n"},
    {"answer_without_a_clock_has_no_date",
     {.status = 200, .date = "", .keep_alive = true},
     "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 0" REST "\r\n"},
    {"answer_has_further_fields",
     {.status = 405, .fields = "Allow: GET\r\nA: b\r\n", .keep_alive = true},
     "HTTP/1.1 405 Method Not Allowed\r\n" TEXT "Content-Length: 0" REST
     "Allow: GET\r\nA: b\r\n\r\n"},
    {"answer_204_has_no_body_and_no_length",
     {.status = 204, .body = LITERAL("ok\n"), .keep_alive = true},
     "HTTP/1.1 204 No Content\r\n" TEXT "X-Content-Type-Options: nosniff\r\n\r\n"},
    {"answer_205_has_an_empty_body",
     {.status = 205, .body = LITERAL("ok\n"), .keep_alive = true},
     "HTTP/1.1 205 \r\n" TEXT "Content-Length: 0" REST "\r\n"},
};

static void reads_as_wanted(void **state)
{
    const struct row *row = *state;
    struct outframe *f = answer_new(&row->answer);
    assert_non_null(f);
    assert_bytes_equal(outframe_bytes(f), bytes_of(row->wanted));
    outframe_unref(f);
}

static void answer_304_has_no_body(void **state)
{
    (void)state;
    struct outframe *f =
        answer_new(&(struct answer){.status = 304, .body = BYTES("ok\n")});
    struct bytes b = outframe_bytes(f);
    assert_memory_equal(b.at, "HTTP/1.1 304 Not Modified\r\n", 27);
    assert_memory_equal(b.at + b.len - 4, "\r\n\r\n", 4);
    outframe_unref(f);
}

static void answer_error_says_why_and_ends(void **state)
{
    (void)state;
    struct outframe *f = answer_error(
        &(struct answer){.status = 400, .fields = "A: b\r\n"}, "malformed request");
    assert_bytes_equal(outframe_bytes(f),
                       BYTES("HTTP/1.1 400 Bad Request\r\n" TEXT "Content-Length: 35" REST
                             "Connection: close\r\nA: b\r\n\r\n"
                             "400 Bad Request: malformed request\n"));
    outframe_unref(f);
}

static void answer_error_to_head_tells_the_length_alone(void **state)
{
    (void)state;
    struct outframe *f = answer_error(&(struct answer){.status = 400, .head_only = true},
                                      "malformed request");
    struct bytes b = outframe_bytes(f);
    assert_non_null(memmem(b.at, b.len, "Content-Length: 35\r\n", 20));
    assert_memory_equal(b.at + b.len - 4, "\r\n\r\n", 4);
    assert_int_equal(answer_status(f), 400);
    outframe_unref(f);
}

static void answer_date_is_the_calendar_of_the_c_library(void **state)
{
    (void)state;
    static const int64_t times[] = {0,          86399,      951782399,  951782400,
                                    951868800,  784111777,  1078012800, 4107542399,
                                    4107542400, 4133980800, 13574563200};
    for (size_t i = 0; i < COUNT(times) + 40000; i++) {
        char got[ANSWER_DATE_SIZE], wanted[ANSWER_DATE_SIZE + 8];
        time_t t = i < COUNT(times) ? (time_t)times[i] : (time_t)i * 86407;
        struct tm tm;
        answer_date(t, got);
        strftime(wanted, sizeof wanted, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
        assert_string_equal(got, wanted);
    }
}

static void answer_error_cuts_a_long_reason(void **state)
{
    (void)state;
    char why[1000];
    memset(why, 'x', sizeof why - 1);
    why[sizeof why - 1] = 0;
    struct outframe *f = answer_error(&(struct answer){.status = 400}, why);
    assert_non_null(f);
    assert_true(outframe_bytes(f).len < 600);
    outframe_unref(f);
}

static void answer_does_not_cut_fields_that_are_too_long(void **state)
{
    (void)state;
    static char fields[2 * ANSWER_FIELDS_MAX];
    memset(fields, 'x', sizeof fields - 1);
    fields[sizeof fields - 1] = 0;
    assert_null(answer_new(&(struct answer){.status = 200, .fields = fields}));
    fields[ANSWER_FIELDS_MAX] = 0;
    struct outframe *f = answer_new(&(struct answer){.status = 200, .fields = fields});
    assert_non_null(f);
    outframe_unref(f);
}

static void answer_is_null_without_memory(void **state)
{
    (void)state;
    alloc_fail_at(1);
    assert_null(answer_error(&(struct answer){.status = 400}, "x"));
    alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(answer_304_has_no_body),
        cmocka_unit_test(answer_error_says_why_and_ends),
        cmocka_unit_test(answer_error_to_head_tells_the_length_alone),
        cmocka_unit_test(answer_date_is_the_calendar_of_the_c_library),
        cmocka_unit_test(answer_error_cuts_a_long_reason),
        cmocka_unit_test(answer_does_not_cut_fields_that_are_too_long),
        cmocka_unit_test(answer_is_null_without_memory),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, rows, reads_as_wanted), others, sizeof others);
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
