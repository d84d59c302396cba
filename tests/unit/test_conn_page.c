/* conn: files of the page: a piece at a time, what of them is kept, and how they end. */
#include "net/page.h"
#include "peer.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { BIG_BYTES = 3 * FILE_PIECE_BYTES - 1000 };

static char folder[] = "/tmp/charlua-conn-page-XXXXXX", big[64];
static struct page *page;

static void write_big(void)
{
    FILE *f = fopen(big, "w");
    assert_non_null(f);
    for (size_t i = 0; i < BIG_BYTES; i++)
        assert_true(fputc('a' + (int)(i % 23), f) != EOF);
    assert_int_equal(fclose(f), 0);
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(big, sizeof big, "%s/big", folder);
    write_big();
    page = page_open(folder);
    return page ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    page_close(page);
    unlink(big);
    return rmdir(folder);
}

static void peer_open_page(struct peer *p)
{
    peer_open(p);
    p->env.page = page;
}

#define ASK "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"

static void conn_page_leaves_whole_and_the_next_request_is_answered(void **state)
{
    (void)state;
    struct peer p;
    peer_open_page(&p);
    peer_say(&p, BYTES(ASK "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct bytes took = peer_took(&p);
    assert_memory_equal(took.at, "HTTP/1.1 200 OK\r\n", 17);
    const uint8_t *body = memmem(took.at, took.len, "\r\n\r\n", 4);
    assert_non_null(body);
    struct bytes rest = bytes_skip(took, (size_t)(body + 4 - took.at));
    assert_true(rest.len > BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++)
        assert_int_equal(rest.at[i], 'a' + i % 23);
    assert_memory_equal(rest.at + BIG_BYTES, "HTTP/1.1 200 OK\r\n", 17);
    assert_int_equal(p.env.held.used, 0);
    assert_int_equal(p.stream.fins, 0);
    peer_close(&p);
}

static void conn_page_keeps_one_piece_for_a_reader_that_takes_nothing(void **state)
{
    (void)state;
    struct peer p;
    peer_open_page(&p);
    p.stream.writes.rest = STREAM_AGAIN;
    peer_say(&p, BYTES(ASK));
    assert_in_range(p.env.held.used, FILE_PIECE_BYTES, FILE_PIECE_BYTES + 2048);
    assert_true(conn_wants_write(p.conn));
    conn_abort(p.conn);
    peer_close(&p);
    assert_int_equal(p.env.held.used, 0);
}

static void conn_gives_others_their_turn_before_it_has_answered_all(void **state)
{
    (void)state;
    static const char ask[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    static char asks[100 * (sizeof ask - 1) + 1];
    struct peer p;
    peer_open_page(&p);
    for (size_t i = 0; i < 100; i++)
        memcpy(asks + i * (sizeof ask - 1), ask, sizeof ask);
    p.env.http.head = sizeof asks;
    p.stream.in = bytes_of(asks);
    conn_read(p.conn, guard_copy(bytes_of(asks)), sizeof asks - 1);
    conn_flush(p.conn);
    size_t once = p.stream.out_len;
    assert_true(conn_wants_write(p.conn));
    peer_run(&p);
    assert_true(once < p.stream.out_len / 2);
    assert_int_equal(p.stream.out_len % 100, 0);
    assert_false(conn_wants_write(p.conn));
    peer_close(&p);
}

/* Begins with a request for a file of which one piece leaves, changes the file, and lets
 * the rest leave. */
static void change_halfway(struct peer *p, void (*change)(struct peer *))
{
    peer_open_page(p);
    p->stream.writes.rest = STREAM_AGAIN;
    peer_say(p, BYTES(ASK));
    change(p);
    p->stream.writes.rest = MEMORY_ALL;
    peer_run(p);
}

static void truncate_big(struct peer *p)
{
    (void)p;
    assert_int_equal(truncate(big, FILE_PIECE_BYTES + 10), 0);
}

static void conn_page_that_shrinks_ends_in_order(void **state)
{
    (void)state;
    struct peer p;
    change_halfway(&p, truncate_big);
    assert_int_equal(p.stream.fins, 1);
    assert_false(conn_is_dead(p.conn));
    assert_true(peer_took(&p).len < BIG_BYTES);
    assert_int_equal(p.env.held.used, 0);
    peer_close(&p);
    write_big();
}

static void conn_page_ends_when_others_have_taken_the_sum(void **state)
{
    (void)state;
    struct peer p;
    peer_open_page(&p);
    p.stream.writes.rest = STREAM_AGAIN;
    peer_say(&p, BYTES(ASK));
    peer_spend_sum(&p);
    p.env.held.free = -1000; /* what this one gives back is not enough */
    p.stream.writes.rest = MEMORY_ALL;
    peer_run(&p);
    assert_int_equal(stats_read(&p.stats.limits[LIMIT_QUEUED].times), 1);
    assert_int_equal(p.stream.fins, 1);
    peer_close(&p);
}

static void conn_page_counts_what_it_refuses(void **state)
{
    (void)state;
    struct peer p;
    peer_open_page(&p);
    peer_say(&p, BYTES("GET /none HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_memory_equal(peer_took(&p).at, "HTTP/1.1 404 ", 13);
    assert_int_equal(stats_read(&p.stats.refused), 1);
    peer_say(&p, BYTES("HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_memory_equal(peer_took(&p).at, "HTTP/1.1 200 ", 13);
    assert_int_equal(stats_read(&p.stats.refused), 1);
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn_page_leaves_whole_and_the_next_request_is_answered),
        cmocka_unit_test(conn_page_keeps_one_piece_for_a_reader_that_takes_nothing),
        cmocka_unit_test(conn_gives_others_their_turn_before_it_has_answered_all),
        cmocka_unit_test(conn_page_that_shrinks_ends_in_order),
        cmocka_unit_test(conn_page_ends_when_others_have_taken_the_sum),
        cmocka_unit_test(conn_page_counts_what_it_refuses),
    };
    return cmocka_run_group_tests_name("conn_page", tests, make_folder, remove_folder);
}
