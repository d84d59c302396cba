/* fuzz_upgrade: everything that reads an upgrade request's fields: handshake, extensions,
 * origin, subprotocols, proxies' lists. The input is the fields. */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/deflate.h"
#include "wire/origin.h"
#include "wire/proxy.h"
#include "wire/upgrade.h"

static void question(const struct http_head *head)
{
    char accept[UPGRADE_ACCEPT_SIZE], extensions[DEFLATE_RESPONSE_SIZE], response[1024];
    char *allowed[] = {"https://example.org", "https://*.example.net:8443", "null"};
    const struct http_field *origin = http_find(head, "Origin");
    struct upgrade_refusal refusal;
    struct cidr trusted[1];
    struct proxy_said said;
    REQUIRE(cidr_parse("10.0.0.0/8", trusted) == 0);
    (void)upgrade_is_asked(head);
    if (origin)
        (void)origin_is_allowed(origin->value, head->host, allowed, 3);
    proxy_read(head, trusted, 1, &said);
    REQUIRE(!said.host.at || http_is_host(said.host));
    (void)origin_host_is_known(head->host, allowed, 3);
    int bits = deflate_negotiate(head, extensions);
    REQUIRE(bits == 0 || (bits >= 8 && bits <= 15));
    struct bytes protocol = upgrade_choose_protocol(head, bytes_of(",chat.v1,b"));
    REQUIRE(protocol.len == 0 || protocol.len == 7 || protocol.len == 1);
    if (upgrade_check(head, accept, &refusal) < 0)
        REQUIRE(refusal.status >= 400 && refusal.why);
    else
        REQUIRE(upgrade_write(response, sizeof response, accept, NULL,
                              bits ? extensions : NULL) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_limits limits = {64 * 1024, HTTP_FIELDS_MAX};
    struct buf text = {0};
    struct http_head head;
    buf_append(&text, bytes_of("GET /?a=b HTTP/1.1\r\nHost: example.org\r\n"));
    buf_append(&text, (struct bytes){data, size});
    buf_append(&text, bytes_of("\r\n\r\n"));
    size_t end = http_head_end(buf_bytes(&text), 0);
    if (end && http_head_parse((struct bytes){text.at, end}, &limits, &head) == 0)
        question(&head);
    buf_deinit(&text);
    return 0;
}
