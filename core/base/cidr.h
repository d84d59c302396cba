/* cidr: ranges of addresses: which ones the operator trusts as proxies.
 * Does not know: sockets, headers.
 * Thread: any (values only).
 * Owner: nobody; passed by value. */
#ifndef CHARLUA_BASE_CIDR_H
#define CHARLUA_BASE_CIDR_H

#include "base/addr.h"
#include "base/bytes.h"

struct cidr {
    struct addr addr;
    int bits;
};

/* An address as headers have it: "192.0.2.1", "192.0.2.1:80", "2001:db8::1",
 * "[2001:db8::1]:80". Returns 0 or -1. */
int addr_parse(struct bytes text, struct addr *out);

/* "192.0.2.0/24", "2001:db8::/32", a single address, or "unix" for unix sockets. Returns
 * 0 or -1. */
int cidr_parse(const char *text, struct cidr *out);

/* Is `addr` in one of the `count` ranges? */
bool cidr_has(const struct cidr *ranges, size_t count, const struct addr *addr);

#endif
