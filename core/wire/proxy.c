/* proxy: lists are read from their end, where the proxies that we trust wrote.
 *
 * A proxy appends to X-Forwarded-For, or overwrites it, and knows nothing of Forwarded,
 * or the other way round; of what it does not know it passes on what the client has
 * written. Which of the two a proxy means can't be seen. X-Forwarded-For counts where
 * both are there, as nearly all proxies write that one; so a proxy that writes Forwarded
 * has to take X-Forwarded-For away. Refusing such requests was tried: then a client that
 * sends a Forwarded of its own, as some corporate networks add, is locked out. */
#include "wire/proxy.h"

#include <stdio.h>

static const uint8_t signature_2[12] = "\r\n\r\n\0\r\nQUIT\n";

enum { V1_MAX = 107, V2_HEAD = 16 };

/* The TLV of SSL: its client byte and verify, and the bit of that byte. */
enum { TLV_HEAD = 3, TYPE_SSL = 0x20, SSL_LEAST = 5, CLIENT_SSL = 1 };

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
static int parse_1(struct bytes in, struct proxy_said *out)
{
    struct addr from;
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
    if (strncmp(line, "PROXY UNKNOWN", 13) == 0) {
        *out = (struct proxy_said){0};
        return used;
    }
    /* NOLINTNEXTLINE(cert-err34-c): five digits always fit */
    if (sscanf(line, "PROXY %5s %45s %45s %5u %5u%c", family, source, target, &port,
               &target_port, &more) != 5 ||
        addr_parse(bytes_of(source), &from) < 0 || port > 65535 ||
        strcmp(family, from.family == ADDR_IPV4 ? "TCP4" : "TCP6") != 0)
        return -1;
    from.port = (uint16_t)port;
    addr_unmap(&from);
    *out = (struct proxy_said){.has_client = true, .client = from};
    return used;
}

/* Reads what stands behind the addresses of version 2: each a type, a length of two bytes
 * and a value. That of SSL (2.2.5) opens with bits about the client, the first of which
 * says that it came over TLS; a proxy that writes it at all means its absence, too.
 * Returns 0, or -1 when it is malformed. */
static int parse_extras(struct bytes in, struct proxy_said *out)
{
    while (in.len) {
        if (in.len < TLV_HEAD)
            return -1;
        size_t len = (size_t)in.at[1] << 8 | in.at[2];
        bool is_ssl = in.at[0] == TYPE_SSL;
        if (len > in.len - TLV_HEAD || (is_ssl && len < SSL_LEAST))
            return -1;
        if (is_ssl) {
            out->has_scheme = true;
            out->secure = in.at[TLV_HEAD] & CLIENT_SSL;
        }
        in = bytes_skip(in, TLV_HEAD + len);
    }
    return 0;
}

static int parse_2(struct bytes in, struct proxy_said *out)
{
    struct proxy_said said = {0};
    if (in.len < V2_HEAD)
        return 0;
    unsigned version = in.at[12] >> 4, command = in.at[12] & 15, family = in.at[13] >> 4;
    size_t len = (size_t)in.at[14] << 8 | in.at[15];
    size_t size = family == 1 ? 4 : family == 2 ? 16 : 0;
    if (version != 2 || command > 1 || (size && command == 1 && len < 2 * size + 4))
        return -1;
    if (in.len < V2_HEAD + len)
        return 0;
    said.has_client = command == 1 && size > 0;
    if (said.has_client) {
        const uint8_t *at = in.at + V2_HEAD;
        said.client.family = size == 4 ? ADDR_IPV4 : ADDR_IPV6;
        memcpy(said.client.ip, at, size);
        said.client.port = (uint16_t)(at[2 * size] << 8 | at[2 * size + 1]);
        addr_unmap(&said.client);
        if (parse_extras((struct bytes){at + 2 * size + 4, len - 2 * size - 4}, &said) <
            0)
            return -1;
    }
    *out = said;
    return (int)(V2_HEAD + len);
}

int proxy_parse(struct bytes in, struct proxy_said *out)
{
    if (in.at[0] == 'P')
        return in.len < 6 ? 0 : parse_1(in, out);
    return in.len < sizeof signature_2 ? 0 : parse_2(in, out);
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

/* Cuts the part behind the last comma off *rest; a comma in quotes is none. */
static struct bytes cut_last(struct bytes *rest)
{
    bool quoted = false;
    size_t n = rest->len;
    for (; n > 0 && (quoted || rest->at[n - 1] != ','); n--)
        if (rest->at[n - 1] == '"' && (n == 1 || rest->at[n - 2] != '\\'))
            quoted = !quoted;
    struct bytes part = bytes_skip(*rest, n);
    rest->len = n > 0 ? n - 1 : 0;
    return bytes_trim(part);
}

/* Cuts the value, perhaps quoted, off the front of *rest, and the ';' behind it. */
static struct bytes cut_value(struct bytes *rest)
{
    bool quoted = rest->len && rest->at[0] == '"';
    struct bytes value =
        quoted ? bytes_until(bytes_skip(*rest, 1), '"') : bytes_until(*rest, ';');
    size_t used = value.len + (quoted ? 2 : 0);
    *rest = bytes_skip(*rest, used < rest->len ? used : rest->len);
    (void)bytes_cut(rest, ';');
    return bytes_trim(value);
}

/* The value of `name` in an element of Forwarded, "for=1.2.3.4;proto=https", or empty. */
static struct bytes forwarded_value(struct bytes element, const char *name)
{
    while (element.len) {
        struct bytes key = bytes_trim(bytes_cut(&element, '='));
        struct bytes value = cut_value(&element);
        if (bytes_equal_nocase(key, bytes_of(name)))
            return value;
    }
    return (struct bytes){0};
}

/* Where a walk over the lists of all fields called `name` is, from their end. */
struct walk {
    const struct http_head *head;
    const char *name;
    size_t field;      /* fields before this one are still to be read */
    struct bytes rest; /* of the present one */
};

static bool walk_next(struct walk *w, struct bytes *part)
{
    while (w->rest.len == 0) {
        if (w->field == 0)
            return false;
        const struct http_field *f = &w->head->fields[--w->field];
        if (bytes_equal_nocase(f->name, bytes_of(w->name)))
            w->rest = f->value;
    }
    *part = cut_last(&w->rest);
    return true;
}

static struct walk walk_of(const struct http_head *head, const char *name)
{
    return (struct walk){.head = head, .name = name, .field = head->field_count};
}

/* Finds the client in a list. Returns the place from the end, and the element in *last,
 * of what the outermost proxy that is trusted has written: what stands before it, anybody
 * may have. */
static size_t find_client(const char *name, bool forwarded, const struct http_head *head,
                          const struct cidr *trusted, size_t count,
                          struct proxy_said *out, struct bytes *last)
{
    struct walk w = walk_of(head, name);
    size_t place = 0;
    for (struct bytes part; walk_next(&w, &part); place++) {
        struct addr addr;
        *last = part;
        if (addr_parse(forwarded ? forwarded_value(part, "for") : part, &addr) < 0)
            return place; /* "unknown", obfuscated or malformed */
        addr_unmap(&addr);
        out->client = addr;
        out->has_client = true;
        if (!cidr_has(trusted, count, &addr))
            return place;
    }
    return place;
}

/* The element at `place` from the end, or the first of a shorter list. */
static struct bytes value_at(const struct http_head *head, const char *name, size_t place)
{
    struct walk w = walk_of(head, name);
    struct bytes part = {0};
    for (size_t i = 0; i <= place && walk_next(&w, &part); i++)
        ;
    return part;
}

static void note(struct proxy_said *out, struct bytes scheme, struct bytes host)
{
    bool secure = bytes_equal_nocase(scheme, bytes_of("https")) ||
                  bytes_equal_nocase(scheme, bytes_of("wss"));
    out->secure = secure;
    out->has_scheme = secure || bytes_equal_nocase(scheme, bytes_of("http")) ||
                      bytes_equal_nocase(scheme, bytes_of("ws"));
    if (http_is_host(host))
        out->host = host;
}

void proxy_read(const struct http_head *head, const struct cidr *trusted, size_t count,
                struct proxy_said *out)
{
    struct bytes last = {0};
    bool forwarded = http_find(head, "Forwarded") != NULL;
    *out = (struct proxy_said){0};
    if (forwarded && !http_find(head, "X-Forwarded-For")) {
        (void)find_client("Forwarded", true, head, trusted, count, out, &last);
        note(out, forwarded_value(last, "proto"), forwarded_value(last, "host"));
        return;
    }
    out->ignored = forwarded;
    size_t place =
        find_client("X-Forwarded-For", false, head, trusted, count, out, &last);
    note(out, value_at(head, "X-Forwarded-Proto", place),
         value_at(head, "X-Forwarded-Host", place));
}
