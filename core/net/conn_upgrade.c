/* conn_upgrade: from a request to a WebSocket. */
#include "net/conn_upgrade.h"

#include "net/conn_answer.h"
#include "net/conn_ws.h"

#include <stdio.h>

enum { PROTOCOL_MAX = 128 /* a subprotocol's name, as app.c checks it */ };

void conn_upgrade(struct conn *c, const struct http_head *head, struct bytes head_bytes,
                  const char accept[UPGRADE_ACCEPT_SIZE])
{
    char response[512];
    char extensions[DEFLATE_RESPONSE_SIZE];
    int bits = c->env->deflate ? deflate_negotiate(head, extensions) : 0;
    c->deflate_bits = (uint8_t)(bits ? deflate_bits(c->env->deflate, bits) : 0);
    struct bytes protocol = upgrade_choose_protocol(head, c->env->protocols);
    char name[PROTOCOL_MAX];
    snprintf(name, sizeof name, "%.*s", (int)protocol.len, (const char *)protocol.at);
    size_t n =
        upgrade_write(response, sizeof response, accept, protocol.len ? name : NULL,
                      c->deflate_bits ? extensions : NULL);
    if (n == 0 || c->env->on_open(c, head_bytes, protocol) < 0) {
        conn_refuse(c, head, 503, "out of memory, try again later", "Retry-After: 5\r\n");
        return;
    }
    struct buf in = conn_enter_ws(c);
    conn_queue_moved(c, outframe_new_raw((struct bytes){(uint8_t *)response, n}));
    if (in.len > head_bytes.len)
        conn_ws_receive(c, in.at + head_bytes.len, in.len - head_bytes.len);
    buf_deinit(&in);
}
