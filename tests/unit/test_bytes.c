/* bytes, hex: cuts at a mark, and digits. */
#include "base/bytes.h"
#include "base/hex.h"
#include "unit.h"

static void assert_is(struct bytes b, const char *text)
{
    assert_true(bytes_equal(b, bytes_of(text)));
}

static void bytes_until_stops_before_the_first_mark(void **state)
{
    (void)state;
    assert_is(bytes_until(bytes_of("a,b,c"), ','), "a");
    assert_is(bytes_until(bytes_of(",b"), ','), "");
    assert_is(bytes_until(bytes_of("abc"), ','), "abc");
    assert_is(bytes_until((struct bytes){0}, ','), "");
}

static void bytes_cut_takes_part_and_mark_off(void **state)
{
    (void)state;
    struct bytes rest = bytes_of("a,,b");
    assert_is(bytes_cut(&rest, ','), "a");
    assert_is(rest, ",b");
    assert_is(bytes_cut(&rest, ','), "");
    assert_is(rest, "b");
    assert_is(bytes_cut(&rest, ','), "b");
    assert_int_equal(rest.len, 0);
    assert_is(bytes_cut(&rest, ','), "");
}

static void bytes_cut_leaves_nothing_behind_a_last_mark(void **state)
{
    (void)state;
    struct bytes rest = bytes_of("a,");
    assert_is(bytes_cut(&rest, ','), "a");
    assert_int_equal(rest.len, 0);
}

static void hex_reads_what_it_writes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text[2];
        hex_write(text, (uint8_t)byte);
        assert_int_equal(hex_byte((uint8_t *)text), byte);
    }
}

static void hex_knows_its_digits(void **state)
{
    (void)state;
    int digits = 0;
    for (int c = 0; c < 256; c++)
        digits += hex_value((uint8_t)c) >= 0;
    assert_int_equal(digits, 22);
    assert_int_equal(hex_byte((const uint8_t *)"fF"), 255);
    assert_int_equal(hex_byte((const uint8_t *)"0g"), -1);
    assert_int_equal(hex_byte((const uint8_t *)"g0"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_until_stops_before_the_first_mark),
        cmocka_unit_test(bytes_cut_takes_part_and_mark_off),
        cmocka_unit_test(bytes_cut_leaves_nothing_behind_a_last_mark),
        cmocka_unit_test(hex_reads_what_it_writes),
        cmocka_unit_test(hex_knows_its_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
