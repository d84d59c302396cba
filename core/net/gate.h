/* gate: who may connect: how many in all, how many from one address, and how fast.
 * Does not know: sockets, shards, requests.
 * Thread: any.
 * Owner: the server. */
#ifndef CHARLUA_NET_GATE_H
#define CHARLUA_NET_GATE_H

#include "base/cidr.h"
#include "base/limit.h"

struct gate;

/* 0 means no limit. An IPv6 client is its /64. Unix sockets and trusted proxies count in
 * all only. */
struct gate_limits {
    uint32_t connections;
    uint32_t per_address;
    uint32_t per_second;        /* new ones from one address; twice as many at once */
    const struct cidr *trusted; /* borrowed */
    size_t trusted_count;
};

enum gate_answer { GATE_OPEN, GATE_FULL, GATE_ADDRESS_FULL, GATE_TOO_FAST };

/* NULL when memory is out. */
struct gate *gate_new(const struct gate_limits *limits);
void gate_free(struct gate *g);

/* A connection from `addr` at `now_ms`, of any steady clock. OPEN: it counts until
 * gate_leave. */
enum gate_answer gate_enter(struct gate *g, const struct addr *addr, uint64_t now_ms);
void gate_leave(struct gate *g, const struct addr *addr);

/* The connection counted for `from` turns out to be `to`'s. OPEN: it is counted so from
 * now on; else nothing has changed. */
enum gate_answer gate_change(struct gate *g, const struct addr *from,
                             const struct addr *to, uint64_t now_ms);

/* The limit behind an answer that is not OPEN. */
enum limit gate_limit(enum gate_answer answer);

#endif
