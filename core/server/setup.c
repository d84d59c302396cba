/* setup: one function an actor, each a list of its fields. */
#include "server/setup.h"

#define FRAME_MAX_BYTES                                                                  \
    (16 * 1024 * 1024) /* a script's message, if queues are not larger */

void setup_host(const struct server_setup *setup, struct host_setup *out)
{
    const struct config *c = setup->config;
    *out = (struct host_setup){
        .script = c->script,
        .trusted = c->trusted_script,
        .options = (const struct host_option *)(const void *)c->set,
        .option_count = c->set_count,
        .natives = setup->natives,
        .native_count = setup->native_count,
        .log = setup->log,
        .http_allow = (const char *const *)c->http_allow.at,
        .http_allow_count = c->http_allow.count,
        .http_max = (size_t)c->http_max,
        .queue_max = (size_t)c->max_queue,
        .frame_max =
            c->max_queue > FRAME_MAX_BYTES ? (size_t)c->max_queue : FRAME_MAX_BYTES,
        .memory_max = (size_t)c->script_memory,
        .json_depth = (int)c->max_json_depth,
        .handler_time = (double)c->handler_time / 1000,
        .rooms_max = (uint32_t)c->max_rooms,
        .rooms_per_client = (uint32_t)c->max_client_rooms,
        .version = setup->version,
    };
}

void setup_shard(const struct server_setup *setup, struct shard_setup *out)
{
    const struct config *c = setup->config;
    *out = (struct shard_setup){
        .log = setup->log,
        .http = {(size_t)c->max_head, (size_t)c->max_fields},
        .messages = {(size_t)c->max_message, (uint32_t)c->max_fragments},
        .deflate = !c->no_deflate,
        .deflate_min = (size_t)c->deflate_min,
        .queue_max = (size_t)c->max_queue,
        .body_max = (size_t)c->max_body,
        .messages_a_second = (float)c->max_rate,
        .bytes_a_second = (float)c->max_byte_rate,
        .origins = c->origin.at,
        .origin_count = c->origin.count,
        .hosts = c->host.at,
        .host_count = c->host.count,
        .hsts = c->hsts,
        .trusted = c->trusted,
        .trusted_count = c->trusted_count,
        .drop_when_slow = c->drop_when_slow != 0,
        .wait = {[CONN_WAIT_HEAD] = (double)c->head_time,
                 [CONN_WAIT_NEXT] = (double)c->keep_alive_time,
                 [CONN_WAIT_ANSWERED] = 60,
                 [CONN_WAIT_RESPONSE] = (double)c->answer_time,
                 [CONN_WAIT_PING] = (double)(c->ping_interval - c->ping_timeout),
                 [CONN_WAIT_PONG] = (double)c->ping_timeout,
                 [CONN_WAIT_CLOSE] = (double)c->close_time},
    };
}

void setup_gate(const struct config *c, struct gate_limits *out)
{
    *out =
        (struct gate_limits){(uint32_t)c->max_connections, (uint32_t)c->max_per_address,
                             (uint32_t)c->max_connect_rate, c->trusted, c->trusted_count};
}

void setup_fetch(const struct server_setup *setup, struct fetch_setup *out)
{
    const struct config *c = setup->config;
    *out = (struct fetch_setup){
        .ca = c->http_ca, .body_max = (size_t)c->http_max, .log = setup->log};
}
