/* fuzz_body: the body parser: in parts of any size it gives the same body, within the
 * limit. The input is a head, and what follows it. */
#include "fuzz.h"

#include "wire/body.h"

enum { MAX = 64, LARGE = 4096 };

struct outcome {
    enum body_step step;
    uint8_t body[MAX];
    size_t len, rest;
};

static void read_in_parts(const struct body *begun, struct bytes in, size_t size,
                          struct outcome *out)
{
    struct body b = *begun;
    *out = (struct outcome){.step = BODY_MORE};
    while (out->step == BODY_MORE && in.len) {
        struct bytes part = {in.at, in.len < size ? in.len : size}, piece;
        in = bytes_skip(in, part.len);
        while ((out->step = body_next(&b, &part, &piece)) == BODY_PIECE) {
            REQUIRE(piece.len > 0 && piece.len <= MAX - out->len);
            memcpy(out->body + out->len, piece.at, piece.len);
            out->len += piece.len;
        }
        REQUIRE(out->step != BODY_MORE || part.len == 0);
        out->rest = in.len + part.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_limits limits = {16 * 1024, 100};
    static struct http_head head;
    struct body b;
    struct outcome whole, parts;
    size_t end = http_head_end((struct bytes){data, size}, 0);
    if (!end || http_head_parse((struct bytes){data, end}, &limits, &head) != 0 ||
        body_init(&b, &head, MAX) != 0)
        return 0;
    struct bytes in = bytes_skip((struct bytes){data, size}, end);
    read_in_parts(&b, in, LARGE, &whole);
    for (size_t n = 1; n <= 3; n++) {
        read_in_parts(&b, in, n, &parts);
        REQUIRE(parts.step == whole.step && parts.len == whole.len &&
                parts.rest == whole.rest && memcmp(parts.body, whole.body, whole.len) == 0);
    }
    return 0;
}
