/* fuzz_http: the head parser: byte by byte it finds the same end, and what it gives lies
 * within the input. */
#include "fuzz.h"

#include "wire/http.h"

static void require_within(struct bytes part, struct bytes all)
{
    REQUIRE(part.len == 0 ||
            (part.at >= all.at && part.at + part.len <= all.at + all.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_limits limits = {16 * 1024, 100};
    struct bytes in = {data, size};
    size_t end = http_head_end(in, 0), step = 0;
    for (size_t n = 1; n <= size && step == 0; n++)
        step = http_head_end((struct bytes){data, n}, n - 1);
    REQUIRE(step == end);
    struct http_head head;
    struct bytes text = {data, end ? end : size};
    if (http_head_parse(text, &limits, &head) != 0)
        return 0;
    require_within(head.method, text);
    if (!bytes_equal(head.path, bytes_of("/"))) /* which may stand for an empty one */
        require_within(head.path, text);
    require_within(head.query, text);
    require_within(head.host, text);
    REQUIRE(head.field_count <= limits.fields);
    for (size_t i = 0; i < head.field_count; i++) {
        require_within(head.fields[i].name, text);
        require_within(head.fields[i].value, text);
    }
    (void)http_has_body(&head);
    (void)http_keep_alive(&head);
    return 0;
}
