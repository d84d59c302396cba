/* origin: a URL is read strictly on purpose: who checks it and who follows it have to see
 * the same host. Of a page the host is compared, not the port: a page and its chat may
 * sit on two ports of one machine. */
#include "wire/origin.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { HOST_MAX = 253, PORT_DIGITS_MAX = 5 };

static bool is_host_byte(uint8_t c, bool bracketed)
{
    return bracketed ? isxdigit(c) || c == ':' || c == '.'
                     : isalnum(c) || c == '-' || c == '.' || c == '_';
}

/* The length of the host that `rest` begins with, with its brackets; 0: there is none. */
static size_t host_length(struct bytes rest)
{
    bool bracketed = rest.len && rest.at[0] == '[';
    size_t begin = bracketed, n = begin;
    while (n < rest.len && is_host_byte(rest.at[n], bracketed))
        n++;
    if (n == begin || n > HOST_MAX)
        return 0;
    if (!bracketed)
        return n;
    return n < rest.len && rest.at[n] == ']' ? n + 1 : 0;
}

/* Reads the ":port" that `rest` begins with. Returns its length, 0 without one, and -1
 * for what is none. */
static int read_port(struct bytes rest, long *port)
{
    char digits[PORT_DIGITS_MAX + 1] = {0};
    size_t n = 0;
    if (rest.len == 0 || rest.at[0] != ':')
        return 0;
    for (; n + 1 < rest.len && isdigit(rest.at[n + 1]); n++) {
        if (n == PORT_DIGITS_MAX)
            return -1;
        digits[n] = (char)rest.at[n + 1];
    }
    *port = strtol(digits, NULL, 10);
    return *port >= 1 && *port <= 65535 ? (int)n + 1 : -1;
}

int origin_of_url(struct bytes url, char out[ORIGIN_MAX])
{
    bool tls = bytes_equal_nocase(bytes_first(url, url.len < 8 ? url.len : 8),
                                  bytes_of("https://"));
    bool plain = bytes_equal_nocase(bytes_first(url, url.len < 7 ? url.len : 7),
                                    bytes_of("http://"));
    if ((!tls && !plain) || url.len > ORIGIN_URL_MAX)
        return -1;
    for (size_t i = 0; i < url.len; i++)
        if (url.at[i] <= ' ' || url.at[i] > '~')
            return -1;
    size_t scheme = tls ? 8 : 7;
    struct bytes rest = bytes_skip(url, scheme);
    size_t host = host_length(rest);
    long own = tls ? 443 : 80, port = own;
    int port_len = host ? read_port(bytes_skip(rest, host), &port) : -1;
    if (port_len < 0)
        return -1;
    size_t end = scheme + host + (size_t)port_len;
    if (end < url.len && !strchr("/?#", url.at[end]))
        return -1;
    int n = snprintf(out, ORIGIN_MAX, "%s%.*s", tls ? "https://" : "http://", (int)host,
                     (const char *)rest.at);
    for (int i = 0; i < n; i++)
        out[i] = (char)tolower((unsigned char)out[i]);
    if (port != own)
        snprintf(out + n, ORIGIN_MAX - (size_t)n, ":%ld", port);
    return (int)end;
}

bool origin_is_service(const char *text)
{
    char origin[ORIGIN_MAX];
    return origin_of_url(bytes_of(text), origin) == (int)strlen(text);
}

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
