/* conn_admit: Names. A page of anybody's can make its own name mean 127.0.0.1 once it has
 * been loaded (DNS rebinding); its origin is then the host that it asks, so no check of
 * origins can tell it from our own page. The name can: with --host other names are
 * refused. Without it they are served, since a chat behind a name of its owner's should
 * just work; but a name that comes from this very machine, and not through a trusted
 * proxy, is what such an attack looks like, so it is told of once. */
#include "net/conn_admit.h"

#include "net/conn_answer.h"
#include "wire/origin.h"

void conn_admit_read(const struct conn *c, struct asked *a)
{
    conn_proxy_read(c, a->head, &a->said);
    a->host = a->said.host.at ? a->said.host : a->head->host;
}

static void warn_of_name(const struct conn *c, struct bytes host)
{
    if (!addr_is_loopback(&c->addr) || conn_proxy_is_trusted(c) ||
        origin_host_is_known(host, NULL, 0) ||
        !refusal_is_new_name(&c->env->stats->refusals, host))
        return;
    log_warn(c->env->log,
             "served under a name that any page could have made mean this machine; if it "
             "is yours, say --host NAME (then others get 421), or --trust-proxy for your "
             "proxy host=%.*s",
             host.len < 200 ? (int)host.len : 200, (const char *)host.at);
}

bool conn_admit_host(struct conn *c, const struct asked *a)
{
    if (c->env->host_count == 0) {
        warn_of_name(c, a->host);
        return true;
    }
    if (origin_host_is_known(a->host, c->env->hosts, c->env->host_count))
        return true;
    conn_refuse(c, a->head, 421,
                "this name is not served here; the operator allows it with --host NAME",
                NULL);
    return false;
}

bool conn_admit_verdict(struct conn *c, const struct http_head *head,
                        enum proxy_verdict verdict, const char *malformed)
{
    if (verdict == PROXY_MALFORMED)
        conn_refuse(c, head, 400, malformed, NULL);
    else if (verdict == PROXY_TURNED_AWAY)
        conn_refuse(c, head, 429, "too many connections from your address",
                    "Retry-After: 5\r\n");
    return verdict == PROXY_DONE;
}

bool conn_admit(struct conn *c, const struct asked *a)
{
    const struct http_field *origin = http_find(a->head, "Origin");
    if (!conn_admit_verdict(c, a->head, conn_proxy_believe(c, &a->said), ""))
        return false;
    if (!origin || /* no browser's */
        origin_is_allowed(origin->value, a->host, c->env->origins, c->env->origin_count))
        return true;
    conn_refuse(c, a->head, 403,
                "pages from this origin may not connect; the operator allows them with "
                "--origin",
                NULL);
    return false;
}
