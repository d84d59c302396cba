/* deflate: what is sent compressed to whom. */
#include "unit.h"
#include "wire/deflate.h"
#include "wire/header.h"

enum { LIMIT = 100000 };

/* Holds `sent` to being data frames that are all compressed; inflates them behind one
 * another into `out`. Returns how many bytes. */
static size_t inflate_all(struct deflate *d, struct bytes sent, uint8_t *out)
{
    size_t len = 0;
    while (sent.len) {
        struct ws_header h;
        struct bytes text;
        int n = ws_header_parse(sent, &h);
        assert_true(n > 0);
        assert_int_equal(h.rsv, WS_RSV1);
        sent = bytes_skip(sent, (size_t)n);
        struct bytes packed = {sent.at, (size_t)h.len};
        assert_int_equal(deflate_inflate(d, packed, (struct bytes){0}, LIMIT, &text), 0);
        memcpy(out + len, text.at, text.len);
        len += text.len;
        sent = bytes_skip(sent, (size_t)h.len);
    }
    return len;
}

static void deflate_of_0_compresses_every_message(void **state)
{
    (void)state;
    static uint8_t text[70000], got[70000];
    static const size_t sizes[] = {0, 1, 2, 3, 100, 255, 256, 65536, 70000};
    struct deflate *d = deflate_new(0);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)((i * 2654435761U) >> 13); /* which no compressor shortens */
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct outframe *f = outframe_new(WS_BINARY, (struct bytes){text, sizes[i]});
        size_t len = inflate_all(d, outframe_bytes(deflate_frame(d, f, 15)), got);
        assert_bytes_equal((struct bytes){got, len}, (struct bytes){text, sizes[i]});
        outframe_unref(f);
    }
    deflate_free(d);
}

static void deflate_of_0_compresses_every_part_of_a_bundle(void **state)
{
    (void)state;
    uint8_t got[100];
    struct deflate *d = deflate_new(0);
    struct outframe *parts[] = {outframe_new(WS_TEXT, BYTES("")),
                                outframe_new(WS_TEXT, BYTES("x")),
                                outframe_new(WS_TEXT, BYTES("hello"))};
    struct outframe *joined = outframe_join(parts, COUNT(parts));
    deflate_join(d, parts, COUNT(parts), joined);
    size_t len = inflate_all(d, outframe_bytes(deflate_frame(d, joined, 15)), got);
    assert_bytes_equal((struct bytes){got, len}, BYTES("xhello"));
    for (size_t i = 0; i < COUNT(parts); i++)
        outframe_unref(parts[i]);
    outframe_unref(joined);
    deflate_free(d);
}

static void deflate_leaves_control_frames_alone(void **state)
{
    (void)state;
    struct deflate *d = deflate_new(0);
    struct outframe *f = outframe_new(WS_PING, (struct bytes){0});
    assert_ptr_equal(deflate_frame(d, f, 15), f);
    outframe_unref(f);
    f = outframe_new_close(1000, BYTES("bye"));
    assert_ptr_equal(deflate_frame(d, f, 15), f);
    outframe_unref(f);
    deflate_free(d);
}

static void
deflate_sends_as_they_are_small_messages_and_what_gets_no_smaller(void **state)
{
    (void)state;
    static const struct bytes texts[] = {LITERAL(""), LITERAL("aaa"),
                                         LITERAL("abcdefgh")};
    struct deflate *d = deflate_new(4);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct outframe *f = outframe_new(WS_TEXT, texts[i]);
        assert_bytes_equal(outframe_bytes(deflate_frame(d, f, 15)), outframe_bytes(f));
        outframe_unref(f);
    }
    deflate_free(d);
}

/* One twin is for all, so it has the largest window: a smaller one can't have every
 * message compressed. */
static void deflate_of_0_takes_no_smaller_window(void **state)
{
    (void)state;
    struct deflate *all = deflate_new(0), *some = deflate_new(1);
    assert_int_equal(deflate_bits(all, 15), 15);
    assert_int_equal(deflate_bits(all, 14), 0);
    assert_int_equal(deflate_bits(some, 9), 9);
    deflate_free(all);
    deflate_free(some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deflate_of_0_compresses_every_message),
        cmocka_unit_test(deflate_of_0_compresses_every_part_of_a_bundle),
        cmocka_unit_test(deflate_leaves_control_frames_alone),
        cmocka_unit_test(
            deflate_sends_as_they_are_small_messages_and_what_gets_no_smaller),
        cmocka_unit_test(deflate_of_0_takes_no_smaller_window),
    };
    return cmocka_run_group_tests_name("deflate", tests, NULL, NULL);
}
