/* cidr: text forms by inet_pton. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* A bare address, without a port. */
static int parse_bare(const char *text, struct addr *out)
{
    struct addr a = {.family = ADDR_IPV4};
    if (inet_pton(AF_INET, text, a.ip) != 1) {
        a.family = ADDR_IPV6;
        if (inet_pton(AF_INET6, text, a.ip) != 1)
            return -1;
    }
    *out = a;
    return 0;
}

int addr_parse(struct bytes text, struct addr *out)
{
    char host[ADDR_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof host || memchr(text.at, 0, text.len))
        return -1;
    memcpy(host, text.at, text.len);
    host[text.len] = 0;
    char *port = NULL, *start = host;
    if (*host == '[') {
        char *end = strchr(host, ']');
        if (!end || (end[1] && end[1] != ':'))
            return -1;
        port = end[1] ? end + 2 : NULL;
        *end = 0;
        start++;
    } else if (strchr(host, ':') && strchr(host, ':') == strrchr(host, ':')) {
        port = strchr(host, ':') + 1;
        port[-1] = 0;
    }
    if (parse_bare(start, out) < 0)
        return -1;
    out->port = port ? (uint16_t)strtoul(port, NULL, 10) : 0;
    return 0;
}

int cidr_parse(const char *text, struct cidr *out)
{
    struct cidr c = {.addr = {.family = ADDR_UNIX}};
    char host[ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    if (strcmp(text, "unix") == 0) {
        *out = c;
        return 0;
    }
    if (n >= sizeof host)
        return -1;
    memcpy(host, text, n);
    host[n] = 0;
    if (parse_bare(host, &c.addr) < 0)
        return -1;
    int most = c.addr.family == ADDR_IPV4 ? 32 : 128;
    char *end = NULL;
    long bits = slash ? strtol(slash + 1, &end, 10) : most;
    if (slash && (end == slash + 1 || *end || bits < 0 || bits > most))
        return -1;
    c.bits = (int)bits;
    *out = c;
    return 0;
}

static bool is_in(const struct cidr *range, const struct addr *addr)
{
    if (range->addr.family != addr->family)
        return false;
    int whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(range->addr.ip, addr->ip, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((range->addr.ip[whole] ^ addr->ip[whole]) >> (8 - rest)) == 0;
}

bool cidr_has(const struct cidr *ranges, size_t count, const struct addr *addr)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(&ranges[i], addr))
            return true;
    return false;
}
