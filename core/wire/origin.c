/* origin: two readers of one grammar. A URL that the rules ask for is read strictly on
 * purpose: who checks it and who follows it have to see the same host. What a browser
 * says of its page, and what an operator allows, may have any scheme: apps in a shell
 * have schemes of their own (capacitor://localhost, chrome-extension://abc).
 *
 * Both are compared in their normal form, which browsers send: "HTTPS://Example.org:443"
 * is "https://example.org". A pattern that is in no form that a browser sends would be
 * accepted and never match, so it is refused with what would. */
#include "wire/origin.h"

#include <stdio.h>
#include <stdlib.h>

enum { SCHEME_MAX = 32, HOST_MAX = 253, PORT_DIGITS_MAX = 5 };

/* An origin taken apart. */
struct parts {
    struct bytes scheme, host; /* of an IPv6 address with its brackets */
    bool wildcard;             /* "*." stood before the host */
    long port;                 /* 0: none, or the scheme's own */
    size_t len;                /* bytes of the text that it takes */
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(uint8_t c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool is_host_byte(uint8_t c, bool bracketed)
{
    if (bracketed)
        return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f') || c == ':' ||
               c == '.';
    return is_alnum(c) || c == '-' || c == '.' || c == '_';
}

/* The length of the scheme that `text` begins with, before "://"; 0: there is none. */
static size_t scheme_length(struct bytes text)
{
    size_t n = 0;
    while (n < text.len && n <= SCHEME_MAX &&
           (is_alnum(text.at[n]) || (n > 0 && strchr("+-.", text.at[n]))) &&
           text.at[n] != 0)
        n++;
    bool is_one = n > 0 && n <= SCHEME_MAX && !is_digit(text.at[0]) &&
                  text.len - n >= 3 && memcmp(text.at + n, "://", 3) == 0;
    return is_one ? n : 0;
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
    for (; n + 1 < rest.len && is_digit(rest.at[n + 1]); n++) {
        if (n == PORT_DIGITS_MAX)
            return -1;
        digits[n] = (char)rest.at[n + 1];
    }
    *port = strtol(digits, NULL, 10);
    return *port >= 1 && *port <= 65535 ? (int)n + 1 : -1;
}

static bool is_scheme(const struct parts *p, const char *scheme)
{
    return bytes_equal_nocase(p->scheme, bytes_of(scheme));
}

/* Takes the origin off the front of `text`. False: it does not begin with one. */
static bool read_parts(struct bytes text, bool with_wildcard, struct parts *out)
{
    *out = (struct parts){.scheme = bytes_first(text, scheme_length(text))};
    if (out->scheme.len == 0)
        return false;
    struct bytes rest = bytes_skip(text, out->scheme.len + 3);
    if (with_wildcard && rest.len > 2 && memcmp(rest.at, "*.", 2) == 0) {
        out->wildcard = true;
        rest = bytes_skip(rest, 2);
    }
    out->host = bytes_first(rest, host_length(rest));
    rest = bytes_skip(rest, out->host.len);
    int port = out->host.len ? read_port(rest, &out->port) : -1;
    if (port < 0)
        return false;
    if (out->port == (is_scheme(out, "http") ? 80 : is_scheme(out, "https") ? 443 : 0))
        out->port = 0;
    out->len = text.len - rest.len + (size_t)port;
    return true;
}

int origin_of_url(struct bytes url, char out[ORIGIN_MAX])
{
    struct parts p;
    for (size_t i = 0; i < url.len; i++)
        if (url.at[i] <= ' ' || url.at[i] > '~')
            return -1;
    if (url.len > ORIGIN_URL_MAX || !read_parts(url, false, &p) ||
        !(is_scheme(&p, "http") || is_scheme(&p, "https")) ||
        (p.len < url.len && !strchr("/?#", url.at[p.len])))
        return -1;
    int n = snprintf(out, ORIGIN_MAX, "%.*s://%.*s", (int)p.scheme.len,
                     (const char *)p.scheme.at, (int)p.host.len, (const char *)p.host.at);
    for (int i = 0; i < n; i++)
        out[i] = (char)lower((uint8_t)out[i]);
    if (p.port)
        snprintf(out + n, ORIGIN_MAX - (size_t)n, ":%ld", p.port);
    return (int)p.len;
}

bool origin_is_service(const char *text)
{
    char origin[ORIGIN_MAX];
    return origin_of_url(bytes_of(text), origin) == (int)strlen(text);
}

/* --- pages --------------------------------------------------------------- */

/* Origins that are no place: of pages without one (sandboxed frames, files in most
 * browsers), and of files in some shells. */
static bool is_name(struct bytes text)
{
    return bytes_equal(text, bytes_of("null")) || bytes_equal(text, bytes_of("file://"));
}

const char *origin_fault(const char *text)
{
    struct bytes all = bytes_of(text);
    struct parts p;
    if (strcmp(text, "*") == 0 || is_name(all))
        return NULL;
    if (bytes_equal_nocase(bytes_first(all, all.len < 7 ? all.len : 7),
                           bytes_of("file://")))
        return "file://, for pages that are files, without a path; browsers say null";
    if (!scheme_length(all))
        return "scheme://host[:port], like https://example.org, or *, null or file://";
    if (!read_parts(all, true, &p))
        return memchr(text, '*', all.len)
                   ? "https://*.example.org: a * stands for one whole label, the first"
                   : "scheme://host[:port], the host as browsers say it: letters, digits "
                     "and -._ (xn-- for others)";
    if (is_scheme(&p, "ws") || is_scheme(&p, "wss"))
        return "the origin of the page, https://example.org or http://example.org; ws "
               "and "
               "wss are how it connects";
    return p.len == all.len ? NULL
                            : "the origin alone, with nothing behind host and port";
}

/* Whether the origin `p` is one that `pattern` allows. */
static bool fits(const struct parts *p, const struct parts *pattern)
{
    struct bytes host = p->host;
    if (!bytes_equal_nocase(p->scheme, pattern->scheme) || p->port != pattern->port)
        return false;
    if (pattern->wildcard) {
        struct bytes label = bytes_until(host, '.');
        if (label.len == 0 || label.len == host.len)
            return false;
        host = bytes_skip(host, label.len + 1);
    }
    return bytes_equal_nocase(host, pattern->host);
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

bool origin_is_allowed(struct bytes origin, struct bytes host, char *const *allowed,
                       size_t count)
{
    struct parts page, pattern;
    bool is_place = read_parts(origin, false, &page) && page.len == origin.len;
    for (size_t i = 0; i < count; i++) {
        struct bytes text = bytes_of(allowed[i]);
        if (strcmp(allowed[i], "*") == 0 ||
            (is_name(text) && bytes_equal(origin, text)) ||
            (is_place && read_parts(text, true, &pattern) && fits(&page, &pattern)))
            return true;
    }
    return is_place && bytes_equal_nocase(page.host, host_of(host));
}

/* --- hosts --------------------------------------------------------------- */

static bool is_address(struct bytes host)
{
    size_t digits = 0;
    if (host.len && host.at[0] == '[')
        return true;
    for (size_t i = 0; i < host.len; i++) {
        if (!is_digit(host.at[i]) && host.at[i] != '.')
            return false;
        digits += is_digit(host.at[i]);
    }
    return digits > 0; /* a name's last label is never of digits alone (RFC 3696 2) */
}

bool origin_is_host(const char *text)
{
    struct bytes all = bytes_of(text);
    return host_length(all) == all.len && all.len && !is_address(all);
}

bool origin_host_is_known(struct bytes host, char *const *names, size_t count)
{
    host = host_of(host);
    if (host.len && host.at[host.len - 1] == '.')
        host.len--;
    if (host.len == 0 || is_address(host) ||
        bytes_equal_nocase(host, bytes_of("localhost")))
        return true;
    for (size_t i = 0; i < count; i++)
        if (bytes_equal_nocase(host, bytes_of(names[i])))
            return true;
    return false;
}
