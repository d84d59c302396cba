/* header: RFC 6455 5.2's fields and lengths, and the mask from any position. */
#include "unit.h"
#include "wire/header.h"

struct row {
    const char *name;
    struct bytes in;
    int result; /* of the whole input; 0 and less: nothing is written */
    struct ws_header wanted;
};

static const struct row rows[] = {
    {"header_reads_two_bytes", LITERAL("\x81\x05"), 2, {true, 0, 1, false, {0}, 5}},
    {"header_reads_a_key",
     LITERAL("\x02\x85\x01\x02\x03\x04"),
     6,
     {false, 0, 2, true, {1, 2, 3, 4}, 5}},
    {"header_reads_rsv_and_reserved_opcode",
     LITERAL("\xFF\x00"),
     2,
     {true, 7, 15, false, {0}, 0}},
    {"header_reads_125", LITERAL("\x89\x7D"), 2, {true, 0, 9, false, {0}, 125}},
    {"header_reads_126", LITERAL("\x82\x7E\x00\x7E"), 4, {true, 0, 2, false, {0}, 126}},
    {"header_reads_65535",
     LITERAL("\x82\x7E\xFF\xFF"),
     4,
     {true, 0, 2, false, {0}, 65535}},
    {"header_reads_65536",
     LITERAL("\x82\x7F\0\0\0\0\0\x01\0\0"),
     10,
     {true, 0, 2, false, {0}, 65536}},
    {"header_reads_the_longest",
     LITERAL("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x0A\x0B\x0C\x0D"),
     14,
     {true, 0, 2, true, {10, 11, 12, 13}, INT64_MAX}},
    {"header_rejects_125_in_16_bits", LITERAL("\x82\x7E\x00\x7D"), -1, {0}},
    {"header_rejects_65535_in_64_bits", LITERAL("\x82\x7F\0\0\0\0\0\0\xFF\xFF"), -1, {0}},
    {"header_rejects_the_highest_bit", LITERAL("\x82\x7F\x80\0\0\0\0\x01\0\0"), -1, {0}},
};

static void reads_row(void **state)
{
    const struct row *r = *state;
    struct ws_header untouched, got;
    memset(&untouched, 0x55, sizeof untouched);
    got = untouched;
    for (size_t len = 0; len < r->in.len; len++) {
        assert_int_equal(ws_header_parse(guarded((struct bytes){r->in.at, len}), &got),
                         0);
        assert_memory_equal(&got, &untouched, sizeof got);
    }
    assert_int_equal(ws_header_parse(guarded(r->in), &got), r->result);
    if (r->result <= 0) {
        assert_memory_equal(&got, &untouched, sizeof got);
        return;
    }
    assert_int_equal(got.fin, r->wanted.fin);
    assert_int_equal(got.rsv, r->wanted.rsv);
    assert_int_equal(got.opcode, r->wanted.opcode);
    assert_int_equal(got.masked, r->wanted.masked);
    assert_memory_equal(got.key, r->wanted.key, 4);
    assert_true(got.len == r->wanted.len);
}

static void header_ignores_what_follows(void **state)
{
    (void)state;
    struct ws_header got;
    assert_int_equal(ws_header_parse(BYTES("\x81\x01xyz"), &got), 2);
}

static void header_written_is_read_back(void **state)
{
    (void)state;
    static const struct {
        uint64_t len;
        size_t size;
    } cases[] = {{0, 2},      {125, 2},      {126, 4},       {65535, 4},
                 {65536, 10}, {1 << 30, 10}, {INT64_MAX, 10}};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (unsigned rsv = 0; rsv < 8; rsv++) {
            uint8_t out[WS_HEADER_WRITE_MAX];
            size_t n = ws_header_write(out, i & 1, (uint8_t)rsv, WS_TEXT, cases[i].len);
            assert_int_equal(n, cases[i].size);
            struct ws_header got;
            assert_int_equal(ws_header_parse((struct bytes){out, n}, &got), n);
            assert_int_equal(got.fin, i & 1);
            assert_int_equal(got.rsv, rsv);
            assert_int_equal(got.opcode, WS_TEXT);
            assert_false(got.masked);
            assert_true(got.len == cases[i].len);
        }
}

static void header_is_written_as_in_the_rfc(void **state)
{
    (void)state;
    uint8_t out[WS_HEADER_WRITE_MAX];
    assert_int_equal(ws_header_write(out, true, 0, WS_BINARY, 256), 4);
    assert_memory_equal(out, "\x82\x7E\x01\x00", 4); /* RFC 6455 5.7 */
    assert_int_equal(ws_header_write(out, false, 4, WS_TEXT, 3), 2);
    assert_memory_equal(out, "\x41\x03", 2);
}

static void unmask_follows_the_rfc_example(void **state)
{
    (void)state;
    uint8_t *at = guard_copy(BYTES("\x7F\x9F\x4D\x51\x58")); /* RFC 6455 5.7 */
    ws_unmask(at, 5, (const uint8_t *)"\x37\xFA\x21\x3D", 0);
    assert_memory_equal(at, "Hello", 5);
}

/* Every length, offset and split, against the definition, one byte at a time. */
static void unmask_in_pieces_is_unmask_at_once(void **state)
{
    (void)state;
    static const uint8_t key[4] = {0x11, 0x22, 0x44, 0x88};
    uint8_t plain[41], wanted[41];
    for (size_t len = 0; len <= sizeof plain; len++)
        for (size_t offset = 0; offset < 9; offset++)
            for (size_t cut = 0; cut <= len; cut++) {
                for (size_t i = 0; i < len; i++) {
                    plain[i] = (uint8_t)(i * 7);
                    wanted[i] = plain[i] ^ key[(offset + i) % 4];
                }
                uint8_t *at = guard_copy((struct bytes){plain, len});
                ws_unmask(at, cut, key, offset);
                ws_unmask(at + cut, len - cut, key, offset + cut);
                assert_bytes_equal((struct bytes){at, len}, (struct bytes){wanted, len});
            }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 5] = {
        cmocka_unit_test(header_ignores_what_follows),
        cmocka_unit_test(header_written_is_read_back),
        cmocka_unit_test(header_is_written_as_in_the_rfc),
        cmocka_unit_test(unmask_follows_the_rfc_example),
        cmocka_unit_test(unmask_in_pieces_is_unmask_at_once),
    };
    UNIT_ROWS(tests + 5, rows, reads_row);
    return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
