/* conn: peers that compress, and those that keep their context though they agreed not to.
 */
#include "client.h"
#include "peer.h"
#include "unit.h"
#include "wire/deflate.h"

#include <zlib.h>

static const struct bytes request =
    LITERAL("GET /chat?x=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: zPDr6m4czzUdOFnsxIUEAw==\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");

static void open_deflating(struct peer *p)
{
    peer_open(p);
    p->env.deflate = deflate_new(256);
    assert_non_null(p->env.deflate);
    peer_say(p, request);
    (void)peer_took(p);
    assert_true(conn_is_open(p->conn));
    p->told[p->told_len = 0] = 0;
}

static void close_deflating(struct peer *p)
{
    peer_close(p);
    deflate_free(p->env.deflate);
}

/* The next message of a client whose context is `z`, as one frame, or as two. */
static void say_packed(struct peer *p, z_stream *z, const char *text, bool halves)
{
    uint8_t packed[256];
    z->next_in = (Bytef *)(uintptr_t)text;
    z->avail_in = (uInt)strlen(text);
    z->next_out = packed;
    z->avail_out = sizeof packed;
    assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    size_t len = sizeof packed - z->avail_out - 4, half = halves ? len / 2 : len;
    unsigned last = halves ? 0 : FIN;
    peer_say_frame(p, last | WS_RSV1 << 4 | WS_TEXT, (struct bytes){packed, half});
    if (halves)
        peer_say_frame(p, FIN, (struct bytes){packed + half, len - half});
}

static void init(z_stream *z)
{
    memset(z, 0, sizeof *z);
    assert_int_equal(deflateInit2(z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

#define ONE "{\"type\":\"login\",\"name\":\"ana\"}"
#define TWO "{\"type\":\"say\",\"name\":\"ana\"}"

static void conn_reads_a_peer_that_keeps_its_context_at_every_split(void **state)
{
    (void)state;
    for (size_t size = 1; size < 64; size++) {
        struct peer p;
        z_stream z;
        init(&z);
        open_deflating(&p);
        p.read_size = size;
        for (int i = 0; i < 3; i++) {
            say_packed(&p, &z, ONE, size % 2);
            say_packed(&p, &z, TWO, size % 3);
            assert_string_equal(p.told, "T:" ONE " T:" TWO " ");
            p.told[p.told_len = 0] = 0;
        }
        assert_true(p.env.held.used > (int64_t)(3 * strlen(ONE TWO)));
        close_deflating(&p);
        deflateEnd(&z);
    }
}

static void conn_keeps_nothing_of_a_peer_without_context(void **state)
{
    (void)state;
    struct peer p;
    z_stream z;
    init(&z);
    open_deflating(&p);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(p.env.held.used > 0, i > 0);
        deflateReset(&z);
        say_packed(&p, &z, i ? TWO : ONE, false);
    }
    assert_int_equal(p.env.held.used, 0);
    close_deflating(&p);
    deflateEnd(&z);
}

/* A peer that is not known to need its context loses it silently, one that needs it its
 * connection. */
static void conn_lets_go_of_contexts_when_the_sum_is_spent(void **state)
{
    (void)state;
    for (int known = 0; known <= 1; known++) {
        struct peer p;
        z_stream z;
        char large[400];
        init(&z);
        open_deflating(&p);
        memset(large, 'x', sizeof large - 1);
        large[sizeof large - 1] = 0;
        p.env.messages.message = sizeof large;
        if (known) {
            say_packed(&p, &z, ONE, false);
            say_packed(&p, &z, ONE, false);
        }
        peer_spend_sum(&p);
        say_packed(&p, &z, large, false);
        if (known) {
            assert_over(&p, 1013, "too busy, try again later");
        } else {
            assert_true(conn_is_open(p.conn));
            say_packed(&p, &z, large, false);
            assert_over(&p, 1007, "bad compressed message");
        }
        close_deflating(&p);
        deflateEnd(&z);
    }
}

/* The message that is refused for being one too many is part of the context. */
static void conn_reads_a_context_on_behind_what_came_too_fast(void **state)
{
    (void)state;
    struct peer p;
    z_stream z;
    init(&z);
    open_deflating(&p);
    p.env.messages_a_second = 2;
    for (int i = 0; i < 4; i++) /* twice the rate is free */
        say_packed(&p, &z, ONE, false);
    p.told[p.told_len = 0] = 0;
    say_packed(&p, &z, TWO, false);
    assert_string_equal(p.told, "");
    p.env.now_ms += 10000;
    say_packed(&p, &z, TWO, false);
    assert_string_equal(p.told, "T:" TWO " ");
    close_deflating(&p);
    deflateEnd(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn_reads_a_peer_that_keeps_its_context_at_every_split),
        cmocka_unit_test(conn_keeps_nothing_of_a_peer_without_context),
        cmocka_unit_test(conn_lets_go_of_contexts_when_the_sum_is_spent),
        cmocka_unit_test(conn_reads_a_context_on_behind_what_came_too_fast),
    };
    return cmocka_run_group_tests_name("conn deflate", tests, NULL, NULL);
}
