/* addr: the two text forms of each family. */
#include "base/addr.h"
#include "unit.h"

static const struct row {
    const char *name;
    struct addr addr;
    const char *ip, *text;
} rows[] = {
    {"addr_of_ipv4", {{127, 0, 0, 1}, 7272, ADDR_IPV4}, "127.0.0.1", "127.0.0.1:7272"},
    {"addr_of_the_highest_ipv4",
     {{255, 255, 255, 255}, 65535, ADDR_IPV4},
     "255.255.255.255",
     "255.255.255.255:65535"},
    {"addr_of_ipv4_ignores_further_bytes",
     {{10, 0, 0, 2, 9, 9, 9}, 1, ADDR_IPV4},
     "10.0.0.2",
     "10.0.0.2:1"},
    {"addr_of_ipv6_has_brackets_before_a_port",
     {{[15] = 1}, 80, ADDR_IPV6},
     "::1",
     "[::1]:80"},
    {"addr_of_the_longest_ipv6",
     {{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
      65535,
      ADDR_IPV6},
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"addr_of_port_zero", {{1, 2, 3, 4}, 0, ADDR_IPV4}, "1.2.3.4", "1.2.3.4:0"},
    {"addr_of_a_unix_socket", {{0}, 0, ADDR_UNIX}, "unix", "unix"},
    {"addr_of_a_unix_socket_has_no_port", {{1, 2, 3, 4}, 99, ADDR_UNIX}, "unix", "unix"},
};

static void reads_as_wanted(void **state)
{
    const struct row *row = *state;
    char out[ADDR_TEXT_MAX];
    assert_ptr_equal(addr_ip(&row->addr, out), out);
    assert_string_equal(out, row->ip);
    assert_ptr_equal(addr_text(&row->addr, out), out);
    assert_string_equal(out, row->text);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows)];
    UNIT_ROWS(tests, rows, reads_as_wanted);
    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
