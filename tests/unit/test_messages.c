/* messages: scripts of frames and the events they must give, whatever the split. */
#include "client.h"
#include "unit.h"
#include "wire/messages.h"

enum { PIECES_MAX = 6, TOLD_MAX = 700 };

/* One frame: its first byte and its payload, masked when written; or raw bytes. */
struct piece {
    unsigned first;
    struct bytes payload;
    bool raw;
};

#define FRAME(first, text)                                                               \
    {                                                                                    \
        (first), LITERAL(text), false                                                    \
    }
#define RAW(text)                                                                        \
    {                                                                                    \
        0, LITERAL(text), true                                                           \
    }

struct script {
    const char *name;
    struct piece pieces[PIECES_MAX];
    const char *wanted; /* see tell() */
};

static const struct messages_limits limits = {200, 4};

#define HUNDRED                                                                          \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "234567890123456789"
#define S125 HUNDRED "0123456789012345678901234"

static const struct script scripts[] = {
    {"messages_gives_a_text", {FRAME(FIN | WS_TEXT, "hello")}, "T:hello "},
    {"messages_gives_a_binary", {FRAME(FIN | WS_BINARY, "\xFF\xFE")}, "B:\xFF\xFE "},
    {"messages_gives_an_empty_message",
     {FRAME(FIN | WS_TEXT, ""), FRAME(FIN | WS_BINARY, "")},
     "T: B: "},
    {"messages_gives_messages_in_order",
     {FRAME(FIN | WS_TEXT, "one"), FRAME(FIN | WS_BINARY, "two"),
      FRAME(FIN | WS_TEXT, "3")},
     "T:one B:two T:3 "},
    {"session_joins_fragments",
     {FRAME(WS_TEXT, "he"), FRAME(WS_CONTINUATION, "ll"), FRAME(FIN, "o")},
     "T:hello "},
    {"session_joins_empty_fragments",
     {FRAME(WS_BINARY, ""), FRAME(WS_CONTINUATION, ""), FRAME(FIN, "")},
     "B: "},
    {"session_joins_a_last_empty_fragment",
     {FRAME(WS_BINARY, "a"), FRAME(FIN, ""), FRAME(FIN | WS_TEXT, "b")},
     "B:a T:b "},
    {"session_joins_after_an_empty_fragment",
     {FRAME(WS_TEXT, ""), FRAME(FIN, "abc")},
     "T:abc "},
    {"session_joins_a_character_across_fragments",
     {FRAME(WS_TEXT, "\xF0\x9F"), FRAME(WS_CONTINUATION, ""), FRAME(FIN, "\x98\x80")},
     "T:\xF0\x9F\x98\x80 "},
    {"messages_gives_ping_within_a_message",
     {FRAME(WS_TEXT, "a"), FRAME(FIN | WS_PING, "p"), FRAME(FIN, "b")},
     "P:p T:ab "},
    {"messages_gives_ping_within_a_character",
     {FRAME(WS_TEXT, "\xC3"), FRAME(FIN | WS_PING, "\xFF"), FRAME(FIN, "\xB1")},
     "P:\xFF T:\xC3\xB1 "},
    {"messages_gives_pongs",
     {FRAME(FIN | WS_PONG, ""), FRAME(FIN | WS_PONG, "q")},
     "Q: Q:q "},
    {"messages_gives_pings_in_a_row",
     {FRAME(FIN | WS_PING, "one"), FRAME(FIN | WS_PONG, "two")},
     "P:one Q:two "},
    {"messages_gives_a_ping_of_125", {FRAME(FIN | WS_PING, S125)}, "P:" S125 " "},
    {"messages_gives_a_message_at_its_limit",
     {FRAME(WS_BINARY, HUNDRED), FRAME(FIN, HUNDRED)},
     "B:" HUNDRED HUNDRED " "},
    {"messages_gives_fragments_at_their_limit",
     {FRAME(WS_TEXT, "1"), FRAME(0, "2"), FRAME(0, "3"), FRAME(FIN, "4"),
      FRAME(WS_TEXT, "5"), FRAME(FIN, "6")},
     "T:1234 T:56 "},
    {"messages_unmasks_with_any_key",
     {RAW("\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58")}, /* RFC 6455 5.7 */
     "T:Hello "},

    {"messages_gives_close_without_payload", {FRAME(FIN | WS_CLOSE, "")}, "C1005: "},
    {"messages_gives_close_with_code", {FRAME(FIN | WS_CLOSE, "\x03\xE8")}, "C1000: "},
    {"messages_gives_close_with_reason",
     {FRAME(FIN | WS_CLOSE, "\x0F\xA0"
                            "bye")},
     "C4000:bye "},
    {"messages_gives_close_within_a_message",
     {FRAME(WS_TEXT, "a"), FRAME(FIN | WS_CLOSE, "\x03\xE9")},
     "C1001: "},
    {"messages_swallows_what_follows_close",
     {FRAME(FIN | WS_CLOSE, "\x03\xE8"), FRAME(FIN | WS_TEXT, "late"), RAW("\xFF\xFF")},
     "C1000: "},
    {"messages_swallows_what_follows_failure",
     {FRAME(FIN | 3, ""), FRAME(FIN | WS_TEXT, "late"), RAW("\xFF\xFF")},
     "F1002 "},
    {"messages_gives_what_came_before_failure",
     {FRAME(FIN | WS_TEXT, "ok"), FRAME(FIN | 3, "")},
     "T:ok F1002 "},

    {"messages_rejects_close_of_one_byte", {FRAME(FIN | WS_CLOSE, "\x03")}, "F1002 "},
    {"messages_rejects_close_with_1005", {FRAME(FIN | WS_CLOSE, "\x03\xED")}, "F1002 "},
    {"messages_rejects_close_with_bad_reason",
     {FRAME(FIN | WS_CLOSE, "\x03\xE8\xFF")},
     "F1007 "},
    {"messages_rejects_rsv1", {FRAME(FIN | 0x40 | WS_TEXT, "a")}, "F1002 "},
    {"messages_rejects_rsv2", {FRAME(FIN | 0x20 | WS_TEXT, "a")}, "F1002 "},
    {"messages_rejects_rsv3", {FRAME(FIN | 0x10 | WS_TEXT, "a")}, "F1002 "},
    {"messages_rejects_rsv_on_control", {FRAME(FIN | 0x40 | WS_PING, "")}, "F1002 "},
    {"messages_rejects_rsv_on_continuation",
     {FRAME(WS_TEXT, "a"), FRAME(FIN | 0x40, "b")},
     "F1002 "},
    {"messages_rejects_opcode_3", {FRAME(FIN | 3, "a")}, "F1002 "},
    {"messages_rejects_opcode_7", {FRAME(FIN | 7, "a")}, "F1002 "},
    {"messages_rejects_opcode_11", {FRAME(FIN | 11, "")}, "F1002 "},
    {"messages_rejects_opcode_15", {FRAME(FIN | 15, "")}, "F1002 "},
    {"messages_rejects_unmasked_text", {RAW("\x81\x01z")}, "F1002 "},
    {"messages_rejects_unmasked_close", {RAW("\x88\x00")}, "F1002 "},
    {"messages_rejects_fragmented_ping", {FRAME(WS_PING, "a")}, "F1002 "},
    {"messages_rejects_fragmented_pong", {FRAME(WS_PONG, "a")}, "F1002 "},
    {"messages_rejects_fragmented_close", {FRAME(WS_CLOSE, "\x03\xE8")}, "F1002 "},
    {"messages_rejects_ping_of_126", {FRAME(FIN | WS_PING, S125 "x")}, "F1002 "},
    {"messages_rejects_continuation_of_nothing", {FRAME(FIN, "a")}, "F1002 "},
    {"messages_rejects_continuation_after_the_last",
     {FRAME(WS_TEXT, "a"), FRAME(FIN, "b"), FRAME(FIN, "c")},
     "T:ab F1002 "},
    {"messages_rejects_text_within_a_message",
     {FRAME(WS_TEXT, "a"), FRAME(FIN | WS_TEXT, "b")},
     "F1002 "},
    {"messages_rejects_binary_within_an_empty_message",
     {FRAME(WS_TEXT, ""), FRAME(FIN | WS_BINARY, "b")},
     "F1002 "},
    {"messages_rejects_a_long_form_of_125",
     {RAW("\x82\xFE\x00\x7D"
          "keyy")},
     "F1002 "},
    {"messages_rejects_the_highest_length_bit",
     {RAW("\x82\xFF\x80\0\0\0\0\0\0\0"
          "keyy")},
     "F1002 "},
    {"messages_rejects_bad_text", {FRAME(FIN | WS_TEXT, "a\xFFz")}, "F1007 "},
    {"messages_rejects_text_cut_at_its_end", {FRAME(FIN | WS_TEXT, "a\xC3")}, "F1007 "},
    {"messages_rejects_fragments_cut_at_their_end",
     {FRAME(WS_TEXT, "a\xC3"), FRAME(FIN, "")},
     "F1007 "},
    {"messages_rejects_bad_text_across_fragments",
     {FRAME(WS_TEXT, "\xC3"), FRAME(WS_CONTINUATION, "a")},
     "F1007 "},
    {"messages_rejects_a_big_message",
     {FRAME(FIN | WS_BINARY, HUNDRED HUNDRED "x")},
     "F1009 "},
    {"messages_rejects_a_big_sum",
     {FRAME(WS_BINARY, HUNDRED), FRAME(WS_CONTINUATION, HUNDRED), FRAME(FIN, "x")},
     "F1009 "},
    {"messages_rejects_the_largest_length",
     {RAW("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
          "keyy")},
     "F1009 "},
    {"messages_rejects_a_sum_that_wraps",
     {FRAME(WS_BINARY, "a"), RAW("\x80\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                                 "keyy")},
     "F1009 "},
    {"messages_rejects_too_many_fragments",
     {FRAME(WS_TEXT, ""), FRAME(0, ""), FRAME(0, ""), FRAME(0, ""), FRAME(0, "")},
     "F1008 "},
};

static struct bytes put_pieces(const struct piece *pieces)
{
    static uint8_t out[2048];
    size_t len = 0;
    for (size_t i = 0; i < PIECES_MAX && pieces[i].payload.at; i++) {
        if (pieces[i].raw) {
            memcpy(out + len, pieces[i].payload.at, pieces[i].payload.len);
            len += pieces[i].payload.len;
        } else {
            len += client_frame(out + len, pieces[i].first, pieces[i].payload);
        }
    }
    return (struct bytes){out, len};
}

/* What a session said: a letter an event, codes as numbers, data after a colon. */
struct told {
    size_t len;
    char text[TOLD_MAX];
};

static void tell(struct told *told, enum messages_event event,
                 const struct messages_out *out)
{
    char code[8] = "";
    char letter = '?';
    struct bytes data = out->data;
    switch (event) {
    case MESSAGES_MORE:
        return;
    case MESSAGES_MESSAGE:
        letter = out->binary ? 'B' : 'T';
        break;
    case MESSAGES_PING:
        letter = 'P';
        break;
    case MESSAGES_PONG:
        letter = 'Q';
        break;
    case MESSAGES_CLOSE:
        letter = 'C';
        break;
    case MESSAGES_FAIL:
        letter = 'F';
        assert_non_null(out->why);
        break;
    }
    if (letter == 'C' || letter == 'F')
        snprintf(code, sizeof code, "%u", out->code);
    int n = snprintf(told->text + told->len, TOLD_MAX - told->len, "%c%s%s%.*s ", letter,
                     code, letter == 'F' ? "" : ":", letter == 'F' ? 0 : (int)data.len,
                     (const char *)data.at);
    told->len += (size_t)n;
    assert_true(told->len < TOLD_MAX);
}

/* Gives the session one run of bytes, at the edge of a page, until it wants more. */
static void feed(struct messages *s, struct bytes part, struct told *told)
{
    struct messages_in in = {guard_copy(part), part.len};
    const uint8_t *end = in.at + in.len;
    for (;;) {
        struct messages_out out;
        memset(&out, 0x55, sizeof out);
        enum messages_event event = messages_next(s, &limits, &in, &out);
        tell(told, event, &out);
        if (event == MESSAGES_MORE)
            break;
    }
    assert_int_equal(in.len, 0);
    assert_ptr_equal(in.at, end);
}

/* Feeds `in` cut into parts of `first`, then `step` bytes each. */
static struct told run(struct bytes in, size_t first, size_t step)
{
    struct told told = {0, ""};
    struct messages s;
    messages_init(&s, false);
    for (size_t at = 0, n = first; at < in.len || n == 0; n = step) {
        n = n < in.len - at ? n : in.len - at;
        feed(&s, (struct bytes){in.at + at, n}, &told);
        at += n;
    }
    messages_deinit(&s);
    return told;
}

static void follows_script(void **state)
{
    const struct script *script = *state;
    struct bytes in = put_pieces(script->pieces);
    alloc_fail_at(0);
    for (size_t cut = 0; cut <= in.len; cut++)
        assert_string_equal(run(in, cut, in.len).text, script->wanted);
    for (size_t step = 1; step < 9; step++)
        assert_string_equal(run(in, step, step).text, script->wanted);
}

/* Every allocation fails once: what was told is true, then 1011, and nothing leaks. */
static void fails_without_memory(void **state)
{
    const struct script *script = *state;
    struct bytes in = put_pieces(script->pieces);
    for (size_t step = 1; step <= in.len; step += 6)
        for (size_t nth = 1;; nth++) {
            alloc_fail_at(nth);
            struct told told = run(in, step, step);
            bool failed = alloc_has_failed();
            alloc_fail_at(0);
            if (!failed) {
                assert_string_equal(told.text, script->wanted);
                break;
            }
            static const char end[] = "F1011 ";
            assert_true(told.len >= sizeof end - 1);
            size_t before = told.len - (sizeof end - 1);
            assert_string_equal(told.text + before, end);
            assert_memory_equal(told.text, script->wanted, before);
        }
}

int main(void)
{
    struct CMUnitTest split[COUNT(scripts)], starved[COUNT(scripts)];
    UNIT_ROWS(split, scripts, follows_script);
    UNIT_ROWS(starved, scripts, fails_without_memory);
    return cmocka_run_group_tests_name("session at every split", split, NULL, NULL) +
           cmocka_run_group_tests_name("session without memory", starved, NULL, NULL);
}
