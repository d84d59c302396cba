/* http: one pass over the head; each reader takes its part off the front of `rest`. */
#include "wire/http.h"

#include <openssl/crypto.h>
#include <stdint.h>

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* `c` is one of the characters of `set`, which NUL never is. */
static bool is_one_of(uint8_t c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

/* RFC 9110 5.6.2 */
bool http_is_token_byte(uint8_t c)
{
    return is_alnum(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

/* RFC 9110 5.5, with white space */
static bool is_value_char(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7F);
}

/* Visible ASCII but for the fragment's mark: looser than RFC 3986, as clients are. */
static bool is_target_char(uint8_t c)
{
    return c > ' ' && c < 0x7F && c != '#';
}

/* uri-host and port, RFC 9112 3.2 */
static bool is_host_char(uint8_t c)
{
    return is_alnum(c) || is_one_of(c, "-._~%!$&'()*+,;=:[]");
}

static bool is_digit_char(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct bytes take(struct bytes *rest, size_t n)
{
    struct bytes taken = {rest->at, n};
    *rest = bytes_skip(*rest, n);
    return taken;
}

/* Takes the run of bytes for which `is` holds; it may be empty. */
static struct bytes take_run(struct bytes *rest, bool (*is)(uint8_t))
{
    size_t n = 0;
    while (n < rest->len && is(rest->at[n]))
        n++;
    return take(rest, n);
}

/* Takes `text` if it comes next. */
static bool take_text(struct bytes *rest, const char *text)
{
    size_t n = strlen(text);
    if (rest->len < n || memcmp(rest->at, text, n) != 0)
        return false;
    take(rest, n);
    return true;
}

static bool take_text_nocase(struct bytes *rest, const char *text)
{
    size_t n = strlen(text);
    if (rest->len < n || !bytes_equal_nocase(bytes_first(*rest, n), bytes_of(text)))
        return false;
    take(rest, n);
    return true;
}

static bool is_all(struct bytes b, bool (*is)(uint8_t))
{
    take_run(&b, is);
    return b.len == 0;
}

/* Splits the target (RFC 9112 3.2), and takes the host that it may name. */
static bool target_split(struct http_head *out)
{
    struct bytes rest = out->target;
    out->host = (struct bytes){0};
    if (bytes_equal(out->target, bytes_of("*")) && /* 3.2.4 */
        bytes_equal(out->method, bytes_of("OPTIONS"))) {
        out->path = out->target;
        out->query = (struct bytes){0};
        return true;
    }
    if (take_text_nocase(&rest, "http://") || take_text_nocase(&rest, "https://")) {
        out->host = take_run(&rest, is_host_char);
        if (out->host.len == 0 || (rest.len && rest.at[0] != '/' && rest.at[0] != '?'))
            return false;
    } else if (rest.len == 0 || rest.at[0] != '/')
        return false;
    out->path = bytes_until(rest, '?');
    take(&rest, out->path.len);
    out->query = rest.len ? bytes_skip(rest, 1) : rest;
    if (out->path.len == 0)
        out->path = bytes_of("/");
    return true;
}

/* Takes the request line (RFC 9112 3). Returns 0 or a status. */
static int line_take(struct bytes *rest, struct http_head *out)
{
    out->method = take_run(rest, http_is_token_byte);
    if (out->method.len == 0 || !take_text(rest, " "))
        return 400;
    out->target = take_run(rest, is_target_char);
    if (!take_text(rest, " ") || !target_split(out) || !take_text(rest, "HTTP/"))
        return 400;
    struct bytes version = take(rest, rest->len < 3 ? rest->len : 3);
    if (version.len < 3 || !is_digit_char(version.at[0]) || version.at[1] != '.' ||
        !is_digit_char(version.at[2]) || !take_text(rest, "\r\n"))
        return 400;
    if (version.at[0] != '1')
        return 505;
    out->minor = version.at[2] - '0';
    return 0;
}

/* Takes one field line (RFC 9112 5). A folded line (5.2) has no name, so it fails. */
static bool field_take(struct bytes *rest, struct http_field *out)
{
    out->name = take_run(rest, http_is_token_byte);
    if (out->name.len == 0 || !take_text(rest, ":"))
        return false;
    out->value = bytes_trim(take_run(rest, is_value_char));
    return take_text(rest, "\r\n");
}

bool http_is_host(struct bytes text)
{
    return text.len > 0 && is_all(text, is_host_char);
}

static size_t count_fields(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++)
        count += bytes_equal_nocase(head->fields[i].name, bytes_of(name));
    return count;
}

/* One Host that can be one (RFC 9112 3.2); HTTP/1.0 may go without. */
static bool host_is_good(const struct http_head *head)
{
    const struct http_field *host = http_find(head, "Host");
    if (!host)
        return head->minor == 0;
    return count_fields(head, "Host") == 1 && http_is_host(host->value);
}

/* The body's length can be read in one way only (RFC 9112 6.1, 6.2, 6.3). */
static bool framing_is_good(const struct http_head *head)
{
    const struct http_field *length = http_find(head, "Content-Length");
    if (http_find(head, "Transfer-Encoding"))
        return !length && head->minor > 0;
    if (!length)
        return true;
    for (size_t i = 0; i < head->field_count; i++)
        if (bytes_equal_nocase(head->fields[i].name, length->name) &&
            !bytes_equal(head->fields[i].value, length->value))
            return false;
    return length->value.len && is_all(length->value, is_digit_char);
}

size_t http_head_end(struct bytes in, size_t from)
{
    size_t i = from < 3 ? 3 : from; /* no head is that short */
    while (i < in.len) {
        const uint8_t *feed = memchr(in.at + i, '\n', in.len - i);
        if (!feed)
            return 0;
        i = (size_t)(feed - in.at) + 1;
        bool is_bare = in.at[i - 2] != '\r';
        if (is_bare || memcmp(in.at + i - 4, "\r\n\r\n", 4) == 0)
            return i;
    }
    return 0;
}

int http_head_parse(struct bytes head, const struct http_limits *limits,
                    struct http_head *out)
{
    if (head.len > limits->head)
        return 431;
    size_t cap = limits->fields < HTTP_FIELDS_MAX ? limits->fields : HTTP_FIELDS_MAX;
    struct bytes rest = head;
    int refused = line_take(&rest, out);
    if (refused)
        return refused;
    out->field_count = 0;
    while (!take_text(&rest, "\r\n")) {
        struct http_field field;
        if (!field_take(&rest, &field))
            return 400;
        if (out->field_count == cap)
            return 431;
        out->fields[out->field_count++] = field;
    }
    if (rest.len || !host_is_good(out) || !framing_is_good(out))
        return 400;
    if (out->host.len == 0 && http_find(out, "Host"))
        out->host = http_find(out, "Host")->value;
    return 0;
}

const struct http_field *http_find(const struct http_head *head, const char *name)
{
    struct bytes wanted = bytes_of(name);
    for (size_t i = 0; i < head->field_count; i++)
        if (bytes_equal_nocase(head->fields[i].name, wanted))
            return &head->fields[i];
    return NULL;
}

static bool list_has(struct bytes list, struct bytes token)
{
    while (list.len) {
        struct bytes item = bytes_until(list, ',');
        take(&list, item.len < list.len ? item.len + 1 : item.len);
        if (bytes_equal_nocase(bytes_trim(item), token))
            return true;
    }
    return false;
}

bool http_has_token(const struct http_head *head, const char *name, const char *token)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (bytes_equal_nocase(head->fields[i].name, bytes_of(name)) &&
            list_has(head->fields[i].value, bytes_of(token)))
            return true;
    return false;
}

static bool is_zero_char(uint8_t c)
{
    return c == '0';
}

bool http_has_body(const struct http_head *head)
{
    const struct http_field *length = http_find(head, "Content-Length");
    return http_find(head, "Transfer-Encoding") ||
           (length && !is_all(length->value, is_zero_char));
}

bool http_keep_alive(const struct http_head *head)
{
    if (http_has_token(head, "Connection", "close"))
        return false;
    return head->minor > 0 || http_has_token(head, "Connection", "keep-alive");
}

bool http_has_bearer(const struct http_head *head, struct bytes secret)
{
    const struct http_field *said = http_find(head, "Authorization");
    if (!said || count_fields(head, "Authorization") != 1)
        return false;
    struct bytes token = said->value;
    if (!take_text_nocase(&token, "Bearer "))
        return false;
    token = bytes_trim(token);
    return secret.len && token.len == secret.len &&
           CRYPTO_memcmp(token.at, secret.at, secret.len) == 0;
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}
