/* proxy: lists are read from their end, where the proxies that we trust wrote. */
#include "wire/proxy.h"

#include <stdio.h>

static const uint8_t signature_2[12] = "\r\n\r\n\0\r\nQUIT\n";

enum { V1_MAX = 107, V2_HEAD = 16 };

/* Whether `in` agrees with `mark` as far as either goes. */
static bool agrees(struct bytes in, const void *mark, size_t len)
{
    return memcmp(in.at, mark, in.len < len ? in.len : len) == 0;
}

bool proxy_is_begun(struct bytes in)
{
    return in.len > 0 &&
           (agrees(in, "PROXY ", 6) || agrees(in, signature_2, sizeof signature_2));
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n" */
static int parse_1(struct bytes in, struct addr *from, bool *known)
{
    const uint8_t *end = memchr(in.at, '\n', in.len < V1_MAX ? in.len : V1_MAX);
    if (!end)
        return in.len < V1_MAX ? 0 : -1;
    int used = (int)(end - in.at) + 1;
    char line[V1_MAX + 1], family[8], source[ADDR_TEXT_MAX], target[ADDR_TEXT_MAX], more;
    unsigned port, target_port;
    if (used < 2 || end[-1] != '\r')
        return -1;
    memcpy(line, in.at, (size_t)used - 2);
    line[used - 2] = 0;
    *known = false;
    if (strncmp(line, "PROXY UNKNOWN", 13) == 0)
        return used;
    /* NOLINTNEXTLINE(cert-err34-c): five digits always fit */
    if (sscanf(line, "PROXY %5s %45s %45s %5u %5u%c", family, source, target, &port,
               &target_port, &more) != 5 ||
        addr_parse(bytes_of(source), from) < 0 || port > 65535 ||
        strcmp(family, from->family == ADDR_IPV4 ? "TCP4" : "TCP6") != 0)
        return -1;
    from->port = (uint16_t)port;
    addr_unmap(from);
    *known = true;
    return used;
}

static int parse_2(struct bytes in, struct addr *from, bool *known)
{
    if (in.len < V2_HEAD)
        return 0;
    unsigned version = in.at[12] >> 4, command = in.at[12] & 15, family = in.at[13] >> 4;
    size_t len = (size_t)in.at[14] << 8 | in.at[15];
    size_t size = family == 1 ? 4 : family == 2 ? 16 : 0;
    if (version != 2 || command > 1 || (size && command == 1 && len < 2 * size + 4))
        return -1;
    if (in.len < V2_HEAD + len)
        return 0;
    *known = command == 1 && size > 0;
    if (*known) {
        const uint8_t *at = in.at + V2_HEAD;
        *from = (struct addr){.family = size == 4 ? ADDR_IPV4 : ADDR_IPV6};
        memcpy(from->ip, at, size);
        from->port = (uint16_t)(at[2 * size] << 8 | at[2 * size + 1]);
        addr_unmap(from);
    }
    return (int)(V2_HEAD + len);
}

int proxy_parse(struct bytes in, struct addr *from, bool *known)
{
    if (in.at[0] == 'P')
        return in.len < 6 ? 0 : parse_1(in, from, known);
    return in.len < sizeof signature_2 ? 0 : parse_2(in, from, known);
}

size_t proxy_missing(struct bytes in)
{
    static const char shortest[] = "PROXY UNKNOWN\r\n";
    if (in.len == 0)
        return 1;
    if (in.at[0] == 'P')
        return in.len < sizeof shortest - 1 ? sizeof shortest - 1 - in.len : 1;
    if (in.len < V2_HEAD)
        return V2_HEAD - in.len;
    return V2_HEAD + ((size_t)in.at[14] << 8 | in.at[15]) - in.len;
}

/* Cuts the part behind the last comma off *rest. */
static struct bytes cut_last(struct bytes *rest)
{
    size_t n = rest->len;
    while (n > 0 && rest->at[n - 1] != ',')
        n--;
    struct bytes part = bytes_skip(*rest, n);
    rest->len = n > 0 ? n - 1 : 0;
    return bytes_trim(part);
}

/* The node of an element of Forwarded: what stands behind "for=", without quotes. */
static struct bytes forwarded_for(struct bytes element)
{
    for (size_t i = 0; i + 4 <= element.len; i++) {
        if (strncasecmp((const char *)element.at + i, "for=", 4) != 0 ||
            (i > 0 && element.at[i - 1] != ';' && element.at[i - 1] != ' '))
            continue;
        struct bytes node = bytes_skip(element, i + 4);
        size_t n = 0;
        if (node.len && node.at[0] == '"') {
            node = bytes_skip(node, 1);
            while (n < node.len && node.at[n] != '"')
                n++;
        } else {
            while (n < node.len && node.at[n] != ';')
                n++;
        }
        return bytes_first(node, n);
    }
    return (struct bytes){0};
}

/* Reads the fields called `name`, the last first. Returns true when they decide: *out is
 * the client. */
static bool read_list(const struct http_head *head, const char *name, bool forwarded,
                      const struct cidr *trusted, size_t count, struct addr *out)
{
    bool found = false;
    for (size_t i = head->field_count; i-- > 0;) {
        struct bytes rest = head->fields[i].value;
        if (!bytes_equal_nocase(head->fields[i].name, bytes_of(name)))
            continue;
        while (rest.len) {
            struct bytes part = cut_last(&rest);
            struct addr addr;
            if (addr_parse(forwarded ? forwarded_for(part) : part, &addr) < 0)
                return found; /* "unknown", obfuscated or malformed: nothing before it can
                                 be believed */
            addr_unmap(&addr);
            *out = addr;
            found = true;
            if (!cidr_has(trusted, count, &addr))
                return true;
        }
    }
    return found;
}

int proxy_client(const struct http_head *head, const struct cidr *trusted, size_t count,
                 struct addr *out)
{
    struct addr forwarded, x_forwarded;
    bool has_forwarded = http_find(head, "Forwarded") != NULL;
    bool has_x = http_find(head, "X-Forwarded-For") != NULL;
    bool by_forwarded = read_list(head, "Forwarded", true, trusted, count, &forwarded);
    bool by_x = read_list(head, "X-Forwarded-For", false, trusted, count, &x_forwarded);
    if (has_forwarded && has_x &&
        (by_forwarded != by_x ||
         (by_x && (forwarded.family != x_forwarded.family ||
                   memcmp(forwarded.ip, x_forwarded.ip, sizeof forwarded.ip) != 0))))
        return -1; /* the proxy wrote one, the client perhaps the other */
    if (by_forwarded || by_x)
        *out = by_forwarded ? forwarded : x_forwarded;
    return by_forwarded || by_x;
}
