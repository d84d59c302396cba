/* setup: what the options and the embedding program say, told to each actor in its own
 * words. Does not know: how actors are made and placed.
 * Thread: any.
 * Owner: nobody; what is filled in borrows from the configuration. */
#ifndef CHARLUA_SERVER_SETUP_H
#define CHARLUA_SERVER_SETUP_H

#include "config.h"
#include "net/fetch.h"
#include "net/gate.h"
#include "room/shard.h"
#include "script/host.h"

struct server_setup {
    const struct config *config; /* finished */
    const struct log *log;
    const struct host_native *natives;
    size_t native_count;
    void (*ready)(void *ctx); /* NULL, or called once it is listening */
    void *ctx;
    void (*tick)(void *ctx); /* NULL, or called every tick_seconds */
    void *tick_ctx;
    double tick_seconds;
    const char *version;
};

/* Mailboxes, clock, environment and statistics are not in it. */
void setup_host(const struct server_setup *setup, struct host_setup *out);

/* Index, loop, mailboxes, gate, page, TLS, statistics and the sum that shards share are
 * not in it. */
void setup_shard(const struct server_setup *setup, struct shard_setup *out);

void setup_gate(const struct config *c, struct gate_limits *out);

/* Its mailbox and statistics are not in it. */
void setup_fetch(const struct server_setup *setup, struct fetch_setup *out);

#endif
