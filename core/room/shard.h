/* shard: one libev loop's connections: reads them, sends their messages to the host as
 * mail, and carries out the mail that comes back. Does not know: Lua, names of rooms,
 * other shards, which thread it was placed on. Thread: its loop's, but for its inbox, to
 * which anyone posts. Owner: the server. */
#ifndef CHARLUA_ROOM_SHARD_H
#define CHARLUA_ROOM_SHARD_H

#include "base/log.h"
#include "base/mailbox.h"
#include "base/stats.h"
#include "net/conn.h"

struct ev_loop;
struct shard;

struct shard_setup {
    uint32_t index;
    struct ev_loop *loop;
    struct mailbox *inbox; /* mail for it */
    struct mailbox *host;  /* where its own mail goes */
    const struct log *log;
    struct stats *stats;
    const struct page *page;
    struct tls *tls; /* for connections that are to be encrypted; else NULL */
    struct http_limits http;
    struct messages_limits messages;
    struct gate *gate;    /* told when a connection has ended */
    char *const *origins; /* allowed beside our own host */
    size_t origin_count;
    char *const *hosts; /* names that Host may say; none: any */
    size_t host_count;
    int64_t hsts;               /* seconds for which browsers are to come over TLS */
    const struct cidr *trusted; /* proxies that are believed */
    size_t trusted_count;
    struct quota *held;      /* of what all peers of all shards may make us keep */
    float messages_a_second; /* of one peer; 0: any number */
    float bytes_a_second;
    bool deflate;                 /* permessage-deflate is offered to */
    size_t deflate_min;           /* bytes of payload from which it is used */
    size_t queue_max;             /* bytes that may wait for one peer */
    size_t body_max;              /* of a request for the rules */
    bool drop_when_slow;          /* else: close with 1013 */
    double wait[CONN_WAIT_KINDS]; /* seconds */
};

/* NULL when memory is out. */
struct shard *shard_new(const struct shard_setup *setup);

/* Closes every connection at once, telling nobody. */
void shard_free(struct shard *s);

/* The end of a loop's turn: carries out the mail, writes what can be written once, ends
 * what is over, and posts the collected mail. Called before the loop blocks. */
void shard_turn(struct shard *s);

#endif
