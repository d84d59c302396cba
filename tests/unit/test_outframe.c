/* outframe: what goes to the socket, counted references, memory that is out. */
#include "unit.h"
#include "wire/outframe.h"

static void assert_frame(struct outframe *f, struct bytes wanted)
{
    assert_non_null(f);
    assert_bytes_equal(outframe_bytes(f), wanted);
    outframe_unref(f);
}

static void frame_text_is_as_in_the_rfc(void **state)
{
    (void)state;
    assert_frame(outframe_new(WS_TEXT, BYTES("Hello")), BYTES("\x81\x05Hello"));
}

static void frame_may_be_empty(void **state)
{
    (void)state;
    assert_frame(outframe_new(WS_PONG, (struct bytes){NULL, 0}), BYTES("\x8A\x00"));
    assert_frame(outframe_new_raw((struct bytes){NULL, 0}), BYTES(""));
}

static void frame_raw_has_no_header(void **state)
{
    (void)state;
    assert_frame(outframe_new_raw(BYTES("HTTP/1.1 200 OK\r\n")),
                 BYTES("HTTP/1.1 200 OK\r\n"));
}

static void frame_takes_the_shortest_length(void **state)
{
    (void)state;
    static const struct {
        size_t len, head;
    } cases[] = {{125, 2}, {126, 4}, {65535, 4}, {65536, 10}};
    static uint8_t payload[65536];
    for (size_t i = 0; i < COUNT(cases); i++) {
        payload[cases[i].len - 1] = 'z';
        struct outframe *f =
            outframe_new(WS_BINARY, (struct bytes){payload, cases[i].len});
        assert_non_null(f);
        struct bytes got = outframe_bytes(f);
        assert_int_equal(got.len, cases[i].head + cases[i].len);
        assert_bytes_equal(bytes_skip(got, cases[i].head),
                           (struct bytes){payload, cases[i].len});
        outframe_unref(f);
    }
}

static void frame_close_has_code_and_reason(void **state)
{
    (void)state;
    assert_frame(outframe_new_close(1001, BYTES("bye")), BYTES("\x88\x05\x03\xE9"
                                                               "bye"));
    assert_frame(outframe_new_close(1000, BYTES("")), BYTES("\x88\x02\x03\xE8"));
}

static void frame_close_without_status_is_empty(void **state)
{
    (void)state;
    assert_frame(outframe_new_close(1005, BYTES("never sent")), BYTES("\x88\x00"));
}

/* A reason of ASCII, then characters of `size` bytes: the cut falls between two. */
static void frame_close_cuts_between_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "\xC3\xB1", "\xE2\x82\xAC",
                                             "\xF0\x9F\x98\x80"};
    for (size_t size = 1; size <= 4; size++)
        for (size_t ascii = 0; ascii < 4; ascii++) {
            char reason[200] = "xxxx";
            size_t len = ascii;
            for (; len < 140; len += size)
                memcpy(reason + len, characters[size - 1], size);
            struct outframe *f =
                outframe_new_close(1000, (struct bytes){(uint8_t *)reason, len});
            assert_non_null(f);
            size_t kept = outframe_bytes(f).len - 4;
            assert_int_equal(kept, 123 - (123 - ascii) % size);
            assert_int_equal(outframe_bytes(f).at[1], kept + 2);
            assert_memory_equal(outframe_bytes(f).at + 4, reason, kept);
            outframe_unref(f);
        }
}

static void frame_close_keeps_123_bytes(void **state)
{
    (void)state;
    char reason[123];
    memset(reason, 'r', sizeof reason);
    struct outframe *f = outframe_new_close(1000, (struct bytes){(uint8_t *)reason, 123});
    assert_non_null(f);
    assert_int_equal(outframe_bytes(f).len, 2 + 125);
    outframe_unref(f);
}

static void frame_lives_until_the_last_unref(void **state)
{
    (void)state;
    struct outframe *f = outframe_new(WS_TEXT, BYTES("shared"));
    assert_non_null(f);
    assert_ptr_equal(outframe_ref(f), f);
    outframe_unref(f);
    assert_frame(f, BYTES("\x81\x06shared"));
    outframe_unref(NULL);
}

static void frame_alloc_is_filled_by_the_caller(void **state)
{
    (void)state;
    uint8_t *at = NULL;
    struct outframe *f = outframe_alloc(3, &at);
    assert_non_null(f);
    memcpy(at, "abc", 3);
    assert_frame(f, BYTES("abc"));
}

static void frame_is_one_allocation(void **state)
{
    (void)state;
    alloc_fail_at(0);
    outframe_unref(outframe_new(WS_TEXT, BYTES("one")));
    assert_int_equal(alloc_count(), 1);
}

static void frame_is_null_when_memory_is_out(void **state)
{
    (void)state;
    uint8_t *at = NULL;
    alloc_fail_at(1);
    assert_null(outframe_new(WS_TEXT, BYTES("x")));
    alloc_fail_at(1);
    assert_null(outframe_new_close(1000, BYTES("x")));
    alloc_fail_at(1);
    assert_null(outframe_new_raw(BYTES("x")));
    alloc_fail_at(1);
    assert_null(outframe_alloc(1, &at));
    assert_null(at);
    alloc_fail_at(0);
}

static void frame_refuses_a_size_that_wraps(void **state)
{
    (void)state;
    uint8_t *at = NULL;
    assert_null(outframe_alloc(SIZE_MAX, &at));
    assert_null(
        outframe_new(WS_BINARY, (struct bytes){(const uint8_t *)"", SIZE_MAX - 4}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_text_is_as_in_the_rfc),
        cmocka_unit_test(frame_may_be_empty),
        cmocka_unit_test(frame_raw_has_no_header),
        cmocka_unit_test(frame_takes_the_shortest_length),
        cmocka_unit_test(frame_close_has_code_and_reason),
        cmocka_unit_test(frame_close_without_status_is_empty),
        cmocka_unit_test(frame_close_cuts_between_characters),
        cmocka_unit_test(frame_close_keeps_123_bytes),
        cmocka_unit_test(frame_lives_until_the_last_unref),
        cmocka_unit_test(frame_alloc_is_filled_by_the_caller),
        cmocka_unit_test(frame_is_one_allocation),
        cmocka_unit_test(frame_is_null_when_memory_is_out),
        cmocka_unit_test(frame_refuses_a_size_that_wraps),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
