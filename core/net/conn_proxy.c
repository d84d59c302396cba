/* conn_proxy: a peer that is a trusted proxy speaks for its client once. */
#include "net/conn_proxy.h"

#include "wire/proxy.h"

enum { RAW_READ_BYTES = 256 };

static bool is_from_proxy(const struct conn *c)
{
    return !c->proxied && cidr_has(c->env->trusted, c->env->trusted_count, &c->addr);
}

/* A trusted proxy has said who the client is. False: that one may not connect. */
static bool set_client(struct conn *c, const struct addr *client)
{
    if (!c->env->on_client(c, client))
        return false;
    c->addr = *client;
    c->proxied = true;
    return true;
}

enum proxy_verdict conn_proxy_believe(struct conn *c, const struct http_head *head)
{
    struct addr client;
    int told = is_from_proxy(c)
                   ? proxy_client(head, c->env->trusted, c->env->trusted_count, &client)
                   : 0;
    if (told < 0)
        return PROXY_MALFORMED;
    return told == 0 || set_client(c, &client) ? PROXY_DONE : PROXY_TURNED_AWAY;
}

enum proxy_verdict conn_proxy_take(struct conn *c)
{
    struct buf *in = &c->http.in;
    struct addr client;
    bool known = false;
    if (!is_from_proxy(c) || !proxy_is_begun(buf_bytes(in))) {
        c->begun = true;
        return PROXY_DONE;
    }
    int n = proxy_parse(buf_bytes(in), &client, &known);
    if (n < 0)
        return PROXY_MALFORMED;
    if (n == 0)
        return PROXY_MORE;
    c->begun = true;
    buf_consume(in, (size_t)n);
    return known && !set_client(c, &client) ? PROXY_TURNED_AWAY : PROXY_DONE;
}

bool conn_proxy_awaits_raw(const struct conn *c)
{
    return c->stream->ops->read_raw && !c->unwrapped && is_from_proxy(c);
}

bool conn_proxy_take_raw(struct conn *c)
{
    struct buf *in = &c->http.in;
    uint8_t part[RAW_READ_BYTES];
    struct addr client;
    bool known = false;
    int whole = 0;
    while (whole == 0) {
        size_t missing = proxy_missing(buf_bytes(in));
        ssize_t n = c->stream->ops->read_raw(
            c->stream, part, missing < sizeof part ? missing : sizeof part, !in->len);
        if (n == STREAM_AGAIN)
            return false;
        if (n > 0 && in->len == 0) {
            c->unwrapped = !proxy_is_begun((struct bytes){part, (size_t)n});
            if (c->unwrapped)
                return true;
            n = c->stream->ops->read_raw(c->stream, part, 1, false);
        }
        if (n <= 0 || buf_append(in, (struct bytes){part, (size_t)n}) < 0)
            break;
        whole = proxy_is_begun(buf_bytes(in))
                    ? proxy_parse(buf_bytes(in), &client, &known)
                    : -1;
    }
    buf_deinit(in);
    if (whole <= 0 || (known && !set_client(c, &client)))
        conn_abort(c);
    c->begun = c->unwrapped = true;
    return c->state != CONN_DEAD;
}
