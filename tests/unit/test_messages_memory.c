/* messages: what it copies, holds and frees, and how soon it refuses. */
#include "client.h"
#include "unit.h"
#include "wire/messages.h"

enum { INPUT_MAX = 70000 };

static const struct messages_limits limits = {200, 4};

static void messages_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct messages) <= 112);
}

/* One frame as a session's whole input. */
static struct messages_in one_frame(unsigned first, struct bytes payload)
{
    static uint8_t out[INPUT_MAX];
    return (struct messages_in){out, client_frame(out, first, payload)};
}

static void messages_gives_whole_frames_without_a_copy(void **state)
{
    (void)state;
    static const unsigned opcodes[] = {WS_TEXT, WS_BINARY, WS_PING, WS_PONG};
    alloc_fail_at(0);
    for (size_t i = 0; i < COUNT(opcodes); i++) {
        struct messages s;
        struct messages_out out;
        messages_init(&s, false);
        struct messages_in in = one_frame(FIN | opcodes[i], BYTES("whole"));
        const uint8_t *payload = in.at + 6;
        assert_int_not_equal(messages_next(&s, &limits, &in, &out), MESSAGES_MORE);
        assert_ptr_equal(out.data.at, payload);
        assert_bytes_equal(out.data, BYTES("whole"));
        messages_deinit(&s);
    }
    assert_int_equal(alloc_count(), 0);
}

static void messages_gives_a_payload_without_a_copy_after_a_split_header(void **state)
{
    (void)state;
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    alloc_fail_at(0);
    struct messages_in in = one_frame(FIN | WS_TEXT, BYTES("whole"));
    const uint8_t *payload = in.at + 6;
    struct messages_in head = {in.at, 3}, rest = {in.at + 3, in.len - 3};
    assert_int_equal(messages_next(&s, &limits, &head, &out), MESSAGES_MORE);
    assert_int_equal(messages_next(&s, &limits, &rest, &out), MESSAGES_MESSAGE);
    assert_ptr_equal(out.data.at, payload);
    assert_int_equal(alloc_count(), 0);
    messages_deinit(&s);
}

static void messages_stops_at_each_event(void **state)
{
    (void)state;
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    uint8_t two[64];
    size_t first = client_frame(two, FIN | WS_TEXT, BYTES("one"));
    size_t both = first + client_frame(two + first, FIN | WS_TEXT, BYTES("two"));
    struct messages_in in = {two, both};
    assert_int_equal(messages_next(&s, &limits, &in, &out), MESSAGES_MESSAGE);
    assert_ptr_equal(in.at, two + first);
    assert_int_equal(in.len, both - first);
    messages_deinit(&s);
}

/* Every length form, split at the head's bytes, the payload's first and its last. */
static void messages_gives_messages_of_every_length_form(void **state)
{
    (void)state;
    static const size_t lengths[] = {125, 126, 127, 65535, 65536, 65537};
    static const struct messages_limits wide = {65537, 1};
    static uint8_t payload[65537];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 31);
    for (size_t i = 0; i < COUNT(lengths); i++)
        for (size_t cut = 0; cut < 40; cut++) {
            struct messages s;
            struct messages_out out;
            messages_init(&s, false);
            struct messages_in in =
                one_frame(FIN | WS_BINARY, (struct bytes){payload, lengths[i]});
            size_t first_len = cut < 20 ? cut : in.len - (cut - 19);
            struct messages_in first = {in.at, first_len};
            struct messages_in rest = {in.at + first_len, in.len - first_len};
            assert_int_equal(messages_next(&s, &wide, &first, &out), MESSAGES_MORE);
            assert_int_equal(messages_next(&s, &wide, &rest, &out), MESSAGES_MESSAGE);
            assert_bytes_equal(out.data, (struct bytes){payload, lengths[i]});
            messages_deinit(&s);
        }
}

static void messages_allocates_what_arrived_not_what_was_announced(void **state)
{
    (void)state;
    static const struct messages_limits wide = {SIZE_MAX / 4, 1};
    uint8_t input[] = "\x82\xFF\x00\x00\x00\x10\x00\x00\x00\x00keyy0123456789";
    struct messages_in in = {input, sizeof input - 1};
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    alloc_fail_at(0);
    assert_int_equal(messages_next(&s, &wide, &in, &out), MESSAGES_MORE);
    assert_in_range(alloc_largest(), 10, 128);
    messages_deinit(&s);
}

static void messages_frees_a_message_at_the_next_call(void **state)
{
    (void)state;
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    struct messages_in in = one_frame(FIN | WS_TEXT, BYTES("kept"));
    struct messages_in first = {in.at, 8}, rest = {in.at + 8, in.len - 8},
                       none = {in.at, 0};
    assert_int_equal(messages_next(&s, &limits, &first, &out), MESSAGES_MORE);
    assert_int_equal(messages_next(&s, &limits, &rest, &out), MESSAGES_MESSAGE);
    assert_bytes_equal(out.data, BYTES("kept"));
    assert_int_equal(messages_next(&s, &limits, &none, &out), MESSAGES_MORE);
    assert_null(s.message.at);
    assert_null(s.control.at);
    /* No messages_deinit: a leak checker sees what an idle session holds. */
}

static void messages_frees_an_unfinished_message_on_failure(void **state)
{
    (void)state;
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    struct messages_in in = one_frame(WS_TEXT, BYTES("half"));
    assert_int_equal(messages_next(&s, &limits, &in, &out), MESSAGES_MORE);
    assert_non_null(s.message.at);
    in = one_frame(FIN | WS_TEXT, BYTES("another"));
    assert_int_equal(messages_next(&s, &limits, &in, &out), MESSAGES_FAIL);
    assert_null(s.message.at);
}

static void messages_frees_an_unfinished_message_on_close(void **state)
{
    (void)state;
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    struct messages_in in = one_frame(WS_TEXT, BYTES("half"));
    assert_int_equal(messages_next(&s, &limits, &in, &out), MESSAGES_MORE);
    in = one_frame(FIN | WS_CLOSE, BYTES("\x03\xE8"));
    assert_int_equal(messages_next(&s, &limits, &in, &out), MESSAGES_CLOSE);
    assert_null(s.message.at);
}

static void messages_frees_a_ping_at_the_next_call(void **state)
{
    (void)state;
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    struct messages_in in = one_frame(FIN | WS_PING, BYTES("kept"));
    struct messages_in first = {in.at, 8}, rest = {in.at + 8, in.len - 8},
                       none = {in.at, 0};
    assert_int_equal(messages_next(&s, &limits, &first, &out), MESSAGES_MORE);
    assert_int_equal(messages_next(&s, &limits, &rest, &out), MESSAGES_PING);
    assert_bytes_equal(out.data, BYTES("kept"));
    assert_int_equal(messages_next(&s, &limits, &none, &out), MESSAGES_MORE);
    assert_null(s.control.at);
}

static void messages_rejects_a_second_frame_under_a_limit_of_one(void **state)
{
    (void)state;
    static const struct messages_limits one = {100, 1};
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    struct messages_in in = one_frame(WS_TEXT, BYTES("a"));
    assert_int_equal(messages_next(&s, &one, &in, &out), MESSAGES_MORE);
    in = one_frame(FIN, BYTES("b"));
    assert_int_equal(messages_next(&s, &one, &in, &out), MESSAGES_FAIL);
    assert_int_equal(out.code, 1008);
}

/* Fails at once on the last byte of `in`, and not a byte sooner. */
static void assert_fails_at_the_end(struct bytes in, uint16_t code)
{
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    for (size_t i = 0; i < in.len; i++) {
        struct messages_in one = {guard_copy((struct bytes){in.at + i, 1}), 1};
        assert_int_equal(messages_next(&s, &limits, &one, &out),
                         i + 1 < in.len ? MESSAGES_MORE : MESSAGES_FAIL);
    }
    assert_int_equal(out.code, code);
    messages_deinit(&s);
}

static void messages_rejects_text_at_its_first_wrong_byte(void **state)
{
    (void)state;
    struct messages_in in = one_frame(FIN | WS_TEXT, BYTES("abc\xED\xA0 and so on"));
    assert_fails_at_the_end((struct bytes){in.at, 6 + 5}, 1007);
}

static void messages_rejects_a_big_message_at_its_header(void **state)
{
    (void)state;
    assert_fails_at_the_end(BYTES("\x82\xFE\x00\xC9keyy"), 1009);
}

static void messages_rejects_a_long_ping_at_its_header(void **state)
{
    (void)state;
    assert_fails_at_the_end(BYTES("\x89\xFE\x00\x7Ekeyy"), 1002);
}

static void messages_rejects_an_unmasked_frame_at_its_header(void **state)
{
    (void)state;
    assert_fails_at_the_end(BYTES("\x81\x7D"), 1002);
}

static void messages_always_allows_one_frame(void **state)
{
    (void)state;
    static const struct messages_limits none = {0, 0};
    struct messages s;
    struct messages_out out;
    messages_init(&s, false);
    struct messages_in in = one_frame(FIN | WS_TEXT, BYTES(""));
    assert_int_equal(messages_next(&s, &none, &in, &out), MESSAGES_MESSAGE);
    in = one_frame(FIN | WS_TEXT, BYTES("x"));
    assert_int_equal(messages_next(&s, &none, &in, &out), MESSAGES_FAIL);
    assert_int_equal(out.code, 1009);
    messages_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_is_small),
        cmocka_unit_test(messages_gives_whole_frames_without_a_copy),
        cmocka_unit_test(messages_gives_a_payload_without_a_copy_after_a_split_header),
        cmocka_unit_test(messages_stops_at_each_event),
        cmocka_unit_test(messages_gives_messages_of_every_length_form),
        cmocka_unit_test(messages_allocates_what_arrived_not_what_was_announced),
        cmocka_unit_test(messages_frees_a_message_at_the_next_call),
        cmocka_unit_test(messages_frees_an_unfinished_message_on_failure),
        cmocka_unit_test(messages_frees_an_unfinished_message_on_close),
        cmocka_unit_test(messages_frees_a_ping_at_the_next_call),
        cmocka_unit_test(messages_rejects_a_second_frame_under_a_limit_of_one),
        cmocka_unit_test(messages_rejects_text_at_its_first_wrong_byte),
        cmocka_unit_test(messages_rejects_a_big_message_at_its_header),
        cmocka_unit_test(messages_rejects_a_long_ping_at_its_header),
        cmocka_unit_test(messages_rejects_an_unmasked_frame_at_its_header),
        cmocka_unit_test(messages_always_allows_one_frame),
    };
    return cmocka_run_group_tests_name("messages memory", tests, NULL, NULL);
}
