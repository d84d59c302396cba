/* origin: the host is compared, not the port: a page and its chat may sit on two ports of
 * one machine. */
#include "wire/origin.h"

static bool skip_scheme(struct bytes *origin)
{
    const uint8_t *at = memmem(origin->at, origin->len, "://", 3);
    if (!at || at == origin->at)
        return false;
    *origin = bytes_skip(*origin, (size_t)(at - origin->at) + 3);
    return origin->len > 0;
}

/* What stands before the port; the brackets of an IPv6 address are part of it. */
static struct bytes host_of(struct bytes authority)
{
    size_t n = 0;
    if (authority.len && authority.at[0] == '[')
        while (n < authority.len && authority.at[n] != ']')
            n++;
    while (n < authority.len && authority.at[n] != ':')
        n++;
    return bytes_first(authority, n);
}

bool origin_is_valid(const char *text)
{
    struct bytes origin = bytes_of(text);
    return strcmp(text, "*") == 0 ||
           (skip_scheme(&origin) && !memchr(origin.at, '/', origin.len) &&
            host_of(origin).len > 0);
}

bool origin_is_allowed(const struct http_head *head, char *const *allowed, size_t count)
{
    const struct http_field *origin = http_find(head, "Origin");
    const struct http_field *host = http_find(head, "Host");
    if (!origin)
        return true;
    for (size_t i = 0; i < count; i++)
        if (strcmp(allowed[i], "*") == 0 ||
            bytes_equal_nocase(origin->value, bytes_of(allowed[i])))
            return true;
    struct bytes from = origin->value;
    return host && skip_scheme(&from) &&
           bytes_equal_nocase(host_of(from), host_of(host->value)) &&
           host_of(from).len > 0;
}
