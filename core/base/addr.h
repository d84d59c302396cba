/* addr: where a peer comes from, in 20 bytes, and as text.
 * Does not know: sockets.
 * Thread: any (values only).
 * Owner: nobody; passed by value. */
#ifndef CHARLUA_BASE_ADDR_H
#define CHARLUA_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

enum addr_family { ADDR_UNIX, ADDR_IPV4, ADDR_IPV6 };

struct addr {
    uint8_t ip[16]; /* network order; IPv4 in the first four bytes */
    uint16_t port;  /* host order */
    uint8_t family; /* enum addr_family */
};

enum { ADDR_TEXT_MAX = 64 };

/* The address without its port: "127.0.0.1", "::1" or "unix". Returns `out`. */
const char *addr_ip(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* Makes an IPv4 address of one that IPv6 maps (::ffff:192.0.2.7), so that a client has
 * one name. */
void addr_unmap(struct addr *a);

/* Is it this machine's own, 127.0.0.0/8 or ::1? */
bool addr_is_loopback(const struct addr *a);

/* The address with its port: "127.0.0.1:7272", "[::1]:7272" or "unix". Returns `out`. */
const char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX]);

#endif
