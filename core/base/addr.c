/* addr: text forms by inet_ntop. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

const char *addr_ip(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    if (a->family == ADDR_UNIX || !inet_ntop(a->family == ADDR_IPV4 ? AF_INET : AF_INET6,
                                             a->ip, out, ADDR_TEXT_MAX))
        snprintf(out, ADDR_TEXT_MAX, "unix");
    return out;
}

void addr_unmap(struct addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->family != ADDR_IPV6 || memcmp(a->ip, mapped, sizeof mapped) != 0)
        return;
    memmove(a->ip, a->ip + 12, 4);
    memset(a->ip + 4, 0, 12);
    a->family = ADDR_IPV4;
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

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t own[16] = {[15] = 1};
    return a->family == ADDR_IPV4 ? a->ip[0] == 127
                                  : a->family == ADDR_IPV6 && memcmp(a->ip, own, 16) == 0;
}
