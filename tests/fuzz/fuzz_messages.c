/* fuzz_messages: frames: however the input is split, the same events come out, none beyond
 * the limits. */
#include "fuzz.h"

#include "wire/messages.h"
#include "wire/utf8.h"

static const struct messages_limits limits = {4096, 16};

/* What a run said, as a running sum. */
struct log {
    uint64_t sum;
    unsigned count;
    bool ended;
};

static void note(struct log *log, enum messages_event event, const struct messages_out *out)
{
    uint64_t sum = log->sum * 31 + (uint64_t)event;
    if (event == MESSAGES_FAIL) {
        sum = sum * 31 + out->code;
    } else {
        REQUIRE(out->data.len <= limits.message);
        for (size_t i = 0; i < out->data.len; i++)
            sum = sum * 31 + out->data.at[i];
    }
    if (event == MESSAGES_MESSAGE && !out->binary && !out->compressed)
        REQUIRE(utf8_is_valid(out->data));
    log->sum = sum;
    log->count++;
    log->ended = event == MESSAGES_FAIL || event == MESSAGES_CLOSE;
}

/* Feeds a copy of `data` in pieces of `step` bytes. */
static struct log feed(const uint8_t *data, size_t size, size_t step, bool deflate)
{
    struct messages s;
    struct log log = {0};
    uint8_t *copy = malloc(size + 1);
    REQUIRE(copy);
    memcpy(copy, data, size);
    messages_init(&s, deflate);
    for (size_t at = 0; at < size && !log.ended; at += step) {
        struct messages_in in = {copy + at, size - at < step ? size - at : step};
        struct messages_out out;
        for (enum messages_event e;
             !log.ended && (e = messages_next(&s, &limits, &in, &out)) != MESSAGES_MORE;)
            note(&log, e, &out);
    }
    messages_deinit(&s);
    free(copy);
    return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    uint8_t how = fuzz_byte(&in);
    if (in.len == 0)
        return 0;
    struct log whole = feed(in.at, in.len, in.len, how & 128);
    struct log pieces = feed(in.at, in.len, 1 + (how & 127U), how & 128);
    REQUIRE(whole.count == pieces.count && whole.sum == pieces.sum);
    return 0;
}
