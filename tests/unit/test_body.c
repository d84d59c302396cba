/* body: bodies of a stated length and in chunks, in one piece and byte by byte. */
#include "unit.h"
#include "wire/body.h"

enum { MAX = 16, GIVEN = 100 };

#define HEAD    "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define LONG                                                                             \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "234567890123456789012345678901234567890123456789"

struct row {
    const char *name;
    const char *fields;
    struct bytes in;
    int status; /* of body_init */
    enum body_step last;
    const char *body;
    size_t left; /* bytes of `in` that are not the body's */
};

static const struct row rows[] = {
    {"body_of_no_length_is_empty", "", LITERAL("GET"), 0, BODY_DONE, "", 3},
    {"body_of_length_0_is_empty", "Content-Length: 0\r\n", LITERAL("x"), 0, BODY_DONE, "",
     1},
    {"body_has_its_length", "Content-Length: 5\r\n", LITERAL("hello"), 0, BODY_DONE,
     "hello", 0},
    {"body_leaves_what_comes_behind_it", "Content-Length: 5\r\n", LITERAL("hello\r\nGET"),
     0, BODY_DONE, "hello", 5},
    {"body_waits_for_its_length", "Content-Length: 5\r\n", LITERAL("hell"), 0, BODY_MORE,
     "hell", 0},
    {"body_may_be_of_any_bytes", "Content-Length: 3\r\n", LITERAL("\r\n\n"), 0, BODY_DONE,
     "\r\n\n", 0},
    {"body_length_has_leading_zeros", "Content-Length: 0000000000000000000005\r\n",
     LITERAL("hello"), 0, BODY_DONE, "hello", 0},
    {"body_may_be_as_large_as_the_limit", "Content-Length: 16\r\n",
     LITERAL("0123456789abcdef"), 0, BODY_DONE, "0123456789abcdef", 0},
    {"body_over_the_limit_is_413", "Content-Length: 17\r\n", LITERAL(""), 413, 0, "", 0},
    {"body_length_beyond_size_t_is_413", "Content-Length: 18446744073709551617\r\n",
     LITERAL(""), 413, 0, "", 0},
    {"body_length_of_many_digits_is_413", "Content-Length: " LONG "\r\n", LITERAL(""),
     413, 0, "", 0},

    {"body_in_a_chunk", CHUNKED, LITERAL("5\r\nhello\r\n0\r\n\r\n"), 0, BODY_DONE,
     "hello", 0},
    {"body_in_chunks", CHUNKED, LITERAL("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nGET"), 0,
     BODY_DONE, "hello", 3},
    {"body_of_no_chunk_is_empty", CHUNKED, LITERAL("0\r\n\r\n"), 0, BODY_DONE, "", 0},
    {"body_coding_in_any_case", "Transfer-Encoding: CHUNKED\r\n", LITERAL("0\r\n\r\n"), 0,
     BODY_DONE, "", 0},
    {"body_chunk_sizes_are_hex_in_any_case", CHUNKED,
     LITERAL("a\r\n0123456789\r\n00002\r\nab\r\n00\r\n\r\n"), 0, BODY_DONE,
     "0123456789ab", 0},
    {"body_chunk_sizes_are_hex_in_capitals", CHUNKED,
     LITERAL("A\r\n0123456789\r\n0\r\n\r\n"), 0, BODY_DONE, "0123456789", 0},
    {"body_chunk_extensions_are_passed_over", CHUNKED,
     LITERAL("2;a=b;c=\"d;e\"\r\nhe\r\n3 ;x\r\nllo\r\n0;last\r\n\r\n"), 0, BODY_DONE,
     "hello", 0},
    {"body_trailer_is_passed_over", CHUNKED,
     LITERAL("2\r\nhe\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\nGET"), 0, BODY_DONE, "he",
     3},
    {"body_chunks_may_fill_the_limit", CHUNKED,
     LITERAL("8\r\n01234567\r\n8\r\n89abcdef\r\n0\r\n\r\n"), 0, BODY_DONE,
     "0123456789abcdef", 0},
    {"body_waits_for_the_last_line_end", CHUNKED, LITERAL("2\r\nhe\r\n0\r\n\r"), 0,
     BODY_MORE, "he", 0},
    {"body_chunk_over_the_limit_is_too_large", CHUNKED, LITERAL("11\r\n"), 0,
     BODY_TOO_LARGE, "", 2},
    {"body_chunks_over_the_limit_are_too_large", CHUNKED,
     LITERAL("8\r\n01234567\r\n9\r\n89abcdefg"), 0, BODY_TOO_LARGE, "01234567", 11},
    {"body_chunk_size_beyond_size_t_is_too_large", CHUNKED,
     LITERAL("10000000000000002\r\nab"), 0, BODY_TOO_LARGE, "", 18},

    {"body_rejects_a_coding_beside_chunked", "Transfer-Encoding: gzip, chunked\r\n",
     LITERAL(""), 501, 0, "", 0},
    {"body_rejects_a_coding_in_another_field",
     "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", LITERAL(""), 501, 0, "",
     0},
    {"body_rejects_chunked_twice", CHUNKED CHUNKED, LITERAL(""), 501, 0, "", 0},
    {"body_rejects_a_coding_like_chunked", "Transfer-Encoding: xchunked\r\n", LITERAL(""),
     501, 0, "", 0},
    {"body_rejects_what_does_not_end_chunked", "Transfer-Encoding: chunked, gzip\r\n",
     LITERAL(""), 400, 0, "", 0},
    {"body_rejects_identity", "Transfer-Encoding: identity\r\n", LITERAL(""), 400, 0, "",
     0},
    {"body_rejects_an_empty_coding", "Transfer-Encoding:\r\n", LITERAL(""), 400, 0, "",
     0},
    {"body_rejects_a_chunk_without_size", CHUNKED, LITERAL("\r\n"), 0, BODY_MALFORMED, "",
     2},
    {"body_rejects_a_size_that_is_no_hex", CHUNKED, LITERAL("g\r\n"), 0, BODY_MALFORMED,
     "", 3},
    {"body_rejects_a_signed_size", CHUNKED, LITERAL("-1\r\n"), 0, BODY_MALFORMED, "", 4},
    {"body_rejects_a_size_with_0x", CHUNKED, LITERAL("0x2\r\nhe"), 0, BODY_MALFORMED, "",
     6},
    {"body_rejects_space_before_a_size", CHUNKED, LITERAL(" 2\r\nhe"), 0, BODY_MALFORMED,
     "", 6},
    {"body_rejects_space_behind_a_size", CHUNKED, LITERAL("2 \r\nhe"), 0, BODY_MALFORMED,
     "", 4},
    {"body_rejects_bare_lf_behind_a_size", CHUNKED, LITERAL("2\nhe"), 0, BODY_MALFORMED,
     "", 3},
    {"body_rejects_bare_cr_behind_a_size", CHUNKED, LITERAL("2\rhe"), 0, BODY_MALFORMED,
     "", 2},
    {"body_rejects_bare_lf_in_an_extension", CHUNKED, LITERAL("2;a\nhe"), 0,
     BODY_MALFORMED, "", 3},
    {"body_rejects_nul_in_an_extension", CHUNKED, LITERAL("2;\0\r\nhe"), 0,
     BODY_MALFORMED, "", 5},
    {"body_rejects_a_chunk_longer_than_said", CHUNKED, LITERAL("2\r\nhello"), 0,
     BODY_MALFORMED, "he", 3},
    {"body_rejects_bare_lf_behind_a_chunk", CHUNKED, LITERAL("2\r\nhe\n"), 0,
     BODY_MALFORMED, "he", 1},
    {"body_rejects_bare_cr_behind_a_chunk", CHUNKED, LITERAL("2\r\nhe\r0"), 0,
     BODY_MALFORMED, "he", 1},
    {"body_rejects_a_folded_trailer", CHUNKED, LITERAL("0\r\nA: b\r\n c\r\n"), 0,
     BODY_MALFORMED, "", 4},
    {"body_rejects_a_trailer_without_colon", CHUNKED, LITERAL("0\r\nA\r\n\r\n"), 0,
     BODY_MALFORMED, "", 4},
    {"body_rejects_a_trailer_without_name", CHUNKED, LITERAL("0\r\n: b\r\n"), 0,
     BODY_MALFORMED, "", 5},
    {"body_rejects_bare_lf_in_a_trailer", CHUNKED, LITERAL("0\r\nA: b\n"), 0,
     BODY_MALFORMED, "", 1},
    {"body_rejects_bare_cr_in_a_trailer", CHUNKED, LITERAL("0\r\nA: b\rc"), 0,
     BODY_MALFORMED, "", 1},
    {"body_rejects_bare_cr_at_the_end", CHUNKED, LITERAL("0\r\n\rA"), 0, BODY_MALFORMED,
     "", 1},
};

static struct http_head head; /* large, so not on the stack */

static int begin(struct body *b, const char *fields, size_t max)
{
    static const struct http_limits wide = {65536, HTTP_FIELDS_MAX};
    static char text[1024];
    snprintf(text, sizeof text, HEAD "%s\r\n", fields);
    assert_int_equal(http_head_parse(bytes_of(text), &wide, &head), 0);
    return body_init(b, &head, max);
}

/* Gives `in` in parts of `size` bytes; what comes out is added to `got`, and *rest is
 * what was not taken. */
static enum body_step feed(struct body *b, struct bytes in, size_t size, char *got,
                           size_t *rest)
{
    enum body_step step = BODY_MORE;
    do {
        size_t n = in.len < size ? in.len : size;
        struct bytes part = guarded((struct bytes){in.at, n}), piece;
        in = bytes_skip(in, n);
        while ((step = body_next(b, &part, &piece)) == BODY_PIECE) {
            assert_true(piece.len > 0);
            assert_true(strlen(got) + piece.len < GIVEN);
            strncat(got, (const char *)piece.at, piece.len);
        }
        *rest = in.len + part.len;
        assert_true(step != BODY_MORE || part.len == 0);
    } while (step == BODY_MORE && in.len);
    return step;
}

static void judges_row(void **state)
{
    const struct row *r = *state;
    for (size_t size = 1; size <= r->in.len + 1; size++) {
        struct body b;
        char got[GIVEN] = "";
        size_t rest;
        assert_int_equal(begin(&b, r->fields, MAX), r->status);
        if (r->status)
            return;
        assert_int_equal(feed(&b, r->in, size, got, &rest), r->last);
        assert_string_equal(got, r->body);
        assert_int_equal(rest, r->left);
    }
}

static void body_lines_have_a_limit_each(void **state)
{
    (void)state;
    static char in[3 * BODY_LINES_MAX];
    struct body b;
    struct bytes piece;
    for (int over = 0; over <= 1; over++) {
        int n = snprintf(in, sizeof in, "2;%0*d\r\nhe\r\n2;%0*d\r\nhe\r\n0\r\n\r\n",
                         BODY_LINES_MAX - 4, 0, BODY_LINES_MAX - 4 + over, 0);
        struct bytes rest = {(const uint8_t *)in, (size_t)n};
        enum body_step step;
        assert_int_equal(begin(&b, CHUNKED, MAX), 0);
        while ((step = body_next(&b, &rest, &piece)) == BODY_PIECE)
            ;
        assert_int_equal(step, over ? BODY_MALFORMED : BODY_DONE);
    }
}

static void body_trailer_has_a_limit_in_all(void **state)
{
    (void)state;
    struct body b;
    struct bytes in = BYTES("0\r\n"), piece;
    assert_int_equal(begin(&b, CHUNKED, MAX), 0);
    assert_int_equal(body_next(&b, &in, &piece), BODY_MORE);
    size_t taken = 0;
    for (enum body_step step = BODY_MORE; step == BODY_MORE; taken += 6 - in.len) {
        in = BYTES("a: b\r\n");
        step = body_next(&b, &in, &piece);
        assert_true(step == BODY_MORE || step == BODY_MALFORMED);
    }
    assert_int_equal(taken, BODY_LINES_MAX);
}

/* A limit at the end of the numbers must not let a sum run over. */
static void body_takes_any_limit(void **state)
{
    (void)state;
    struct body b;
    struct bytes in = BYTES("2\r\nhe\r\nfffffffffffffffe\r\nx"), piece;
    assert_int_equal(begin(&b, CHUNKED, SIZE_MAX), 0);
    assert_int_equal(body_next(&b, &in, &piece), BODY_PIECE);
    assert_int_equal(body_next(&b, &in, &piece), BODY_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(body_lines_have_a_limit_each),
        cmocka_unit_test(body_trailer_has_a_limit_in_all),
        cmocka_unit_test(body_takes_any_limit),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    memcpy(UNIT_ROWS(tests, rows, judges_row), others, sizeof others);
    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
