/* conn_proxy: a peer that is a trusted proxy speaks for its client once. */
#include "net/conn_proxy.h"

enum { RAW_READ_BYTES = 256 };

bool conn_proxy_is_trusted(const struct conn *c)
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

void conn_proxy_read(const struct conn *c, const struct http_head *head,
                     struct proxy_said *out)
{
    char ip[ADDR_TEXT_MAX];
    *out = (struct proxy_said){0};
    if (!conn_proxy_is_trusted(c))
        return;
    proxy_read(head, c->env->trusted, c->env->trusted_count, out);
    if (out->ignored)
        log_debug(c->env->log, "Forwarded ignored beside X-Forwarded-For proxy=%s",
                  addr_ip(&c->addr, ip));
}

enum proxy_verdict conn_proxy_believe(struct conn *c, const struct proxy_said *said)
{
    if (said->has_scheme)
        c->secure = said->secure;
    else if (conn_proxy_is_trusted(c)) /* of the request before, which was another's */
        c->secure = c->stream->secure;
    return !said->has_client || set_client(c, &said->client) ? PROXY_DONE
                                                             : PROXY_TURNED_AWAY;
}

/* The same for a header in front of everything, which speaks for all that comes: also one
 * that says nothing of the client (UNKNOWN, LOCAL). Fields behind it are the client's. */
static enum proxy_verdict believe_header(struct conn *c, const struct proxy_said *said)
{
    enum proxy_verdict verdict = conn_proxy_believe(c, said);
    c->proxied = true;
    return verdict;
}

enum proxy_verdict conn_proxy_take(struct conn *c)
{
    struct buf *in = &c->http.in;
    struct proxy_said said;
    if (!conn_proxy_is_trusted(c) || !proxy_is_begun(buf_bytes(in))) {
        c->begun = true;
        return PROXY_DONE;
    }
    int n = proxy_parse(buf_bytes(in), &said);
    if (n < 0)
        return PROXY_MALFORMED;
    if (n == 0)
        return PROXY_MORE;
    c->begun = true;
    buf_consume(in, (size_t)n);
    return believe_header(c, &said);
}

bool conn_proxy_awaits_raw(const struct conn *c)
{
    return c->stream->ops->read_raw && !c->unwrapped && conn_proxy_is_trusted(c);
}

bool conn_proxy_take_raw(struct conn *c)
{
    struct buf *in = &c->http.in;
    uint8_t part[RAW_READ_BYTES];
    struct proxy_said said;
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
        whole = proxy_is_begun(buf_bytes(in)) ? proxy_parse(buf_bytes(in), &said) : -1;
    }
    buf_deinit(in);
    if (whole <= 0 || believe_header(c, &said) != PROXY_DONE)
        conn_abort(c);
    c->begun = c->unwrapped = true;
    return c->state != CONN_DEAD;
}
