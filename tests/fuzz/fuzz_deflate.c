/* fuzz_deflate: hostile input never inflates beyond the limit, and what we compress
 * inflates to itself. */
#include "fuzz.h"

#include "wire/deflate.h"
#include "wire/header.h"

enum { LIMIT = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size}, out;
    struct deflate *d = deflate_new(1);
    REQUIRE(d);
    int code = deflate_inflate(d, in, (struct bytes){0}, LIMIT, &out);
    REQUIRE(code == 0 || code == WS_CLOSE_BAD_DATA || code == WS_CLOSE_TOO_BIG);
    REQUIRE(code != 0 || out.len <= LIMIT);
    struct outframe *f = size <= LIMIT ? outframe_new(WS_BINARY, in) : NULL;
    if (f) {
        struct bytes sent = outframe_bytes(deflate_frame(d, f, 15));
        struct ws_header h;
        int n = ws_header_parse(sent, &h);
        REQUIRE(n > 0 && h.len == sent.len - (size_t)n);
        sent = bytes_skip(sent, (size_t)n);
        if (h.rsv & WS_RSV1)
            REQUIRE(deflate_inflate(d, sent, (struct bytes){0}, LIMIT, &sent) == 0);
        REQUIRE(bytes_equal(sent, in));
        outframe_unref(f);
    }
    deflate_free(d);
    return 0;
}
