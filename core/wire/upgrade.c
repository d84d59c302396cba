/* upgrade: RFC 6455 4.2; SHA-1 and base64 are libcrypto's. */
#include "wire/upgrade.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

enum { KEY_LEN = 24, DIGEST_LEN = 20 };

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */

/* The value of the one field called `name`; empty when there is none or several. */
static struct bytes only(const struct http_head *head, const char *name)
{
    const struct http_field *first = http_find(head, name);
    if (!first)
        return (struct bytes){NULL, 0};
    const struct http_field *end = head->fields + head->field_count;
    for (const struct http_field *f = first + 1; f < end; f++)
        if (bytes_equal_nocase(f->name, first->name))
            return (struct bytes){NULL, 0};
    return first->value;
}

static bool is_base64_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           c == '+' || c == '/';
}

/* Base64 of 16 bytes (RFC 6455 4.1): 22 characters and two pads. The four bits left over
 * in the last one may be anything, as decoders have it (RFC 4648 3.5). */
static bool key_is_good(struct bytes key)
{
    if (key.len != KEY_LEN || key.at[KEY_LEN - 2] != '=' || key.at[KEY_LEN - 1] != '=')
        return false;
    for (size_t i = 0; i < KEY_LEN - 2; i++)
        if (!is_base64_char(key.at[i]))
            return false;
    return true;
}

static int accept_make(struct bytes key, char accept[UPGRADE_ACCEPT_SIZE])
{
    uint8_t text[KEY_LEN + sizeof guid - 1], digest[DIGEST_LEN];
    memcpy(text, key.at, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof guid - 1);
    if (!SHA1(text, sizeof text, digest))
        return -1;
    EVP_EncodeBlock((unsigned char *)accept, digest, DIGEST_LEN);
    return 0;
}

/* The first thing wrong with the request, or status 0. */
static struct upgrade_refusal judge(const struct http_head *head)
{
    if (!bytes_equal(head->method, bytes_of("GET")))
        return (struct upgrade_refusal){405, "a WebSocket is asked for with GET"};
    if (head->minor < 1)
        return (struct upgrade_refusal){400, "a WebSocket needs HTTP/1.1"};
    if (!http_find(head, "Host"))
        return (struct upgrade_refusal){400, "Host is missing"};
    if (http_has_body(head))
        return (struct upgrade_refusal){400, "an upgrade has no body"};
    if (!http_has_token(head, "Upgrade", "websocket"))
        return (struct upgrade_refusal){400, "Upgrade does not say websocket"};
    if (!http_has_token(head, "Connection", "Upgrade"))
        return (struct upgrade_refusal){400, "Connection does not say Upgrade"};
    if (!bytes_equal(only(head, "Sec-WebSocket-Version"), bytes_of("13")))
        return (struct upgrade_refusal){426, "Sec-WebSocket-Version is not 13"};
    if (!key_is_good(only(head, "Sec-WebSocket-Key")))
        return (struct upgrade_refusal){400, "Sec-WebSocket-Key is not one key"};
    return (struct upgrade_refusal){0, NULL};
}

bool upgrade_is_asked(const struct http_head *head)
{
    return http_has_token(head, "Upgrade", "websocket") ||
           http_find(head, "Sec-WebSocket-Key");
}

int upgrade_check(const struct http_head *head, char accept[UPGRADE_ACCEPT_SIZE],
                  struct upgrade_refusal *refusal)
{
    struct upgrade_refusal wrong = judge(head);
    if (!wrong.status && accept_make(only(head, "Sec-WebSocket-Key"), accept) < 0)
        wrong = (struct upgrade_refusal){500, "SHA-1 is not available"};
    if (!wrong.status)
        return 0;
    *refusal = wrong;
    return -1;
}

size_t upgrade_write(char *out, size_t size, const char accept[UPGRADE_ACCEPT_SIZE],
                     const char *protocol, const char *extensions)
{
    const char *const parts[] = {
        /* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one text on two lines */
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        accept,
        protocol ? "\r\nSec-WebSocket-Protocol: " : "",
        protocol ? protocol : "",
        extensions ? "\r\nSec-WebSocket-Extensions: " : "",
        extensions ? extensions : "",
        "\r\n\r\n",
    };
    size_t len = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t n = strlen(parts[i]);
        if (n > size - len)
            return 0;
        memcpy(out + len, parts[i], n);
        len += n;
    }
    assert(protocol || extensions || len == UPGRADE_WRITE_MIN);
    return len;
}

/* Is `name` in `spoken`, ",one,two"? */
static bool is_spoken(struct bytes name, struct bytes spoken)
{
    while (spoken.len)
        if (bytes_equal(name, bytes_cut(&spoken, ',')))
            return true;
    return false;
}

struct bytes upgrade_choose_protocol(const struct http_head *head, struct bytes spoken)
{
    for (size_t i = 0; i < head->field_count && spoken.len; i++) {
        struct bytes rest = head->fields[i].value;
        if (!bytes_equal_nocase(head->fields[i].name, bytes_of("Sec-WebSocket-Protocol")))
            continue;
        while (rest.len) {
            size_t n = 0;
            while (n < rest.len && http_is_token_byte(rest.at[n]))
                n++;
            if (n > 0 && is_spoken(bytes_first(rest, n), spoken))
                return bytes_first(rest, n);
            rest = bytes_skip(rest, n > 0 ? n : 1);
        }
    }
    return (struct bytes){0};
}
