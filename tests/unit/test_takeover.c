/* takeover: clients that keep their compression context, and those that do not. */
#include "random.h"
#include "unit.h"
#include "wire/takeover.h"

#include <stdlib.h>
#include <zlib.h>

enum { LIMIT = 100000, PACKED_MAX = 110000 };

struct client {
    z_stream z;
    bool forgets;
    uint8_t packed[PACKED_MAX];
};

static void client_init(struct client *c, bool forgets, int bits, int level)
{
    memset(&c->z, 0, sizeof c->z);
    c->forgets = forgets;
    assert_int_equal(deflateInit2(&c->z, level, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
}

/* A message's payload, as RFC 7692 7.2.1 has it. */
static struct bytes client_pack(struct client *c, struct bytes text)
{
    if (c->forgets)
        deflateReset(&c->z);
    c->z.next_in = (Bytef *)(uintptr_t)text.at;
    c->z.avail_in = (uInt)text.len;
    c->z.next_out = c->packed;
    c->z.avail_out = PACKED_MAX;
    assert_int_equal(deflate(&c->z, Z_SYNC_FLUSH), Z_OK);
    return (struct bytes){c->packed, PACKED_MAX - c->z.avail_out - 4};
}

/* Hears `text` as conn does. Returns takeover_note's answer, or the close code. */
static int hear(struct client *c, struct takeover **t, struct deflate *d, bool settled,
                struct bytes text)
{
    struct bytes out;
    int code = takeover_inflate(*t, d, client_pack(c, text), LIMIT, &out);
    if (code)
        return code;
    assert_bytes_equal(out, text);
    return settled ? TAKEOVER_SETTLED : (int)takeover_note(t, out);
}

static const char *const says[] = {"{\"type\":\"login\",\"client_name\":\"ana\"}",
                                   "{\"type\":\"say\",\"content\":\"hi there\"}",
                                   "{\"type\":\"say\",\"content\":\"how are you?\"}",
                                   "{\"type\":\"pong\"}"};

static void takeover_reads_who_keeps_its_context(void **state)
{
    (void)state;
    struct client c;
    struct takeover *t = NULL;
    struct deflate *d = deflate_new(1);
    client_init(&c, false, 15, 6);
    for (int i = 0; i < 400; i++) {
        assert_int_equal(hear(&c, &t, d, false, bytes_of(says[i % 4])), TAKEOVER_WATCHED);
        assert_int_equal(takeover_is_needed(t), i > 0);
        assert_true(takeover_size(t) <= 32 * 1024 + 64);
    }
    takeover_free(t);
    deflate_free(d);
    deflateEnd(&c.z);
}

/* Every window and level, with messages longer than the window, and of random bytes. */
static void takeover_never_gives_up_who_needs_it(void **state)
{
    (void)state;
    static uint8_t large[70000];
    uint64_t chance = 7;
    for (int bits = 9; bits <= 15; bits++) {
        for (int level = 1; level <= 9; level++) {
            struct client c;
            struct takeover *t = NULL;
            struct deflate *d = deflate_new(1);
            bool settled = false;
            client_init(&c, false, bits, level);
            for (int i = 0; i < 40; i++) {
                size_t len =
                    1 +
                    random_below(&chance, i % 5 == 4 ? (uint32_t)sizeof large - 1 : 300);
                for (size_t at = 0; at < len; at++)
                    large[at] = (uint8_t)random_below(&chance, i % 3 ? 4 : 64);
                struct bytes text =
                    i % 2 ? (struct bytes){large, len} : bytes_of(says[i / 2 % 4]);
                int result = hear(&c, &t, d, settled, text);
                assert_in_range(result, TAKEOVER_WATCHED, TAKEOVER_SETTLED);
                settled = result == TAKEOVER_SETTLED;
            }
            takeover_free(t);
            deflate_free(d);
            deflateEnd(&c.z);
        }
    }
}

static void takeover_costs_nothing_after_a_few_messages(void **state)
{
    (void)state;
    struct client c;
    struct takeover *t = NULL;
    struct deflate *d = deflate_new(1);
    client_init(&c, true, 15, 6);
    assert_int_equal(hear(&c, &t, d, false, bytes_of(says[0])), TAKEOVER_WATCHED);
    assert_int_equal(hear(&c, &t, d, false, bytes_of(says[1])), TAKEOVER_WATCHED);
    assert_int_equal(hear(&c, &t, d, false, bytes_of(says[2])), TAKEOVER_SETTLED);
    assert_null(t);
    assert_int_equal(takeover_size(t), 0);
    deflate_free(d);
    deflateEnd(&c.z);
}

static void takeover_believes_who_says_something_new_each_time(void **state)
{
    (void)state;
    struct takeover *t = NULL;
    for (int i = 1; i <= 16; i++) {
        char text[16];
        snprintf(text, sizeof text, "%c1234567", 'a' + i);
        assert_int_equal(takeover_note(&t, bytes_of(text)),
                         i < 16 ? TAKEOVER_WATCHED : TAKEOVER_SETTLED);
    }
    assert_null(t);
}

/* What repeats within itself is no proof: its compressor might have pointed there. */
static void takeover_takes_no_run_for_a_proof(void **state)
{
    (void)state;
    struct takeover *t = NULL;
    for (int i = 0; i < 10; i++)
        assert_int_equal(takeover_note(&t, BYTES("abababababab")), TAKEOVER_WATCHED);
    takeover_free(t);
}

static void takeover_refuses_what_is_no_deflate(void **state)
{
    (void)state;
    struct takeover *t = NULL;
    struct bytes out;
    struct deflate *d = deflate_new(1);
    assert_int_equal(takeover_note(&t, bytes_of(says[0])), TAKEOVER_WATCHED);
    assert_int_equal(takeover_inflate(t, d, BYTES("\x07\xFF\xFF"), LIMIT, &out), 1007);
    assert_false(takeover_is_needed(t));
    takeover_free(t);
    deflate_free(d);
}

static void takeover_without_memory_is_as_before(void **state)
{
    (void)state;
    struct takeover *t = NULL;
    for (size_t n = 1; n <= 2; n++) {
        alloc_fail_at(n);
        assert_int_equal(takeover_note(&t, bytes_of(says[0])), TAKEOVER_NO_MEMORY);
        alloc_fail_at(0);
        assert_null(t);
    }
    assert_int_equal(takeover_note(&t, bytes_of(says[0])), TAKEOVER_WATCHED);
    takeover_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takeover_reads_who_keeps_its_context),
        cmocka_unit_test(takeover_never_gives_up_who_needs_it),
        cmocka_unit_test(takeover_costs_nothing_after_a_few_messages),
        cmocka_unit_test(takeover_believes_who_says_something_new_each_time),
        cmocka_unit_test(takeover_takes_no_run_for_a_proof),
        cmocka_unit_test(takeover_refuses_what_is_no_deflate),
        cmocka_unit_test(takeover_without_memory_is_as_before),
    };
    return cmocka_run_group_tests_name("takeover", tests, NULL, NULL);
}
