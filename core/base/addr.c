/* addr: text forms by inet_ntop. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

const char *addr_ip(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    if (a->family == ADDR_UNIX || !inet_ntop(a->family == ADDR_IPV4 ? AF_INET : AF_INET6,
                                             a->ip, out, ADDR_TEXT_MAX))
        snprintf(out, ADDR_TEXT_MAX, "unix");
    return out;
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    char ip[ADDR_TEXT_MAX];
    addr_ip(a, ip);
    if (a->family == ADDR_UNIX)
        snprintf(out, ADDR_TEXT_MAX, "%s", ip);
    else
        snprintf(out, ADDR_TEXT_MAX, a->family == ADDR_IPV6 ? "[%.48s]:%u" : "%.48s:%u",
                 ip, a->port);
    return out;
}
