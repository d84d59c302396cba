/* deflate: two z_streams a shard, reset for every message.
 *
 * The twin is made with the largest window; since it holds one message only, its
 * distances are below the message's length, so a peer with a window of 2^bits can read
 * the twin of any message up to that size. Larger ones it gets plain, which RFC 7692 6
 * always allows. */
#include "wire/deflate.h"

#include "base/buf.h"
#include "wire/header.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    BITS_MIN = 8,
    BITS_MAX = 15,
    OUT_KEEP_BYTES =
        64 * 1024, /* a larger output buffer is freed before the next message */
    OUT_FIRST_BYTES = 4096,
};

struct deflate {
    size_t min;
    z_stream in, out;
    bool has_in, has_out;
    struct buf inflated;
};

/* --- negotiation --------------------------------------------------------- */

struct offer {
    bool valid;
    bool server_takeover_off, client_takeover_off, client_bits; /* seen */
    int server_bits;                                            /* 0: not seen */
};

/* Cuts the part before `separator`, which does not count within quotes, off *rest. */
static struct bytes cut_unquoted(struct bytes *rest, uint8_t separator)
{
    bool quoted = false;
    size_t n = 0;
    for (; n < rest->len && (quoted || rest->at[n] != separator); n++)
        quoted ^= rest->at[n] == '"';
    struct bytes part = bytes_first(*rest, n);
    *rest = bytes_skip(*rest, n < rest->len ? n + 1 : n);
    return bytes_trim(part);
}

/* A window's bits: 8 to 15 without a leading zero, perhaps in quotes; 0: anything else.
 */
static int parse_bits(struct bytes value)
{
    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
        value = bytes_first(bytes_skip(value, 1), value.len - 2);
    if (value.len == 1 && (value.at[0] == '8' || value.at[0] == '9'))
        return value.at[0] - '0';
    if (value.len == 2 && value.at[0] == '1' && value.at[1] >= '0' && value.at[1] <= '5')
        return 10 + value.at[1] - '0';
    return 0;
}

/* A flag that may stand once and has no value. */
static bool take_flag(bool *seen, bool has_value)
{
    bool first = !*seen;
    *seen = true;
    return first && !has_value;
}

static bool take_parameter(struct offer *o, struct bytes parameter)
{
    struct bytes value = parameter;
    struct bytes name = cut_unquoted(&value, '=');
    bool has_value = name.len < parameter.len;
    value = bytes_trim(value);
    if (bytes_equal_nocase(name, bytes_of("server_no_context_takeover")))
        return take_flag(&o->server_takeover_off, has_value);
    if (bytes_equal_nocase(name, bytes_of("client_no_context_takeover")))
        return take_flag(&o->client_takeover_off, has_value);
    if (bytes_equal_nocase(name, bytes_of("client_max_window_bits")))
        return take_flag(&o->client_bits, false) && (!has_value || parse_bits(value));
    if (!bytes_equal_nocase(name, bytes_of("server_max_window_bits")) || o->server_bits)
        return false;
    o->server_bits = parse_bits(value);
    return o->server_bits != 0;
}

static struct offer read_offer(struct bytes text)
{
    struct offer o = {0};
    o.valid =
        bytes_equal_nocase(cut_unquoted(&text, ';'), bytes_of("permessage-deflate"));
    while (o.valid && text.len)
        o.valid = take_parameter(&o, cut_unquoted(&text, ';'));
    return o;
}

int deflate_negotiate(const struct http_head *head, char response[DEFLATE_RESPONSE_SIZE])
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct bytes rest = head->fields[i].value;
        if (!bytes_equal_nocase(head->fields[i].name,
                                bytes_of("Sec-WebSocket-Extensions")))
            continue;
        while (rest.len) {
            struct offer o = read_offer(cut_unquoted(&rest, ','));
            if (!o.valid)
                continue;
            int n = snprintf(response, DEFLATE_RESPONSE_SIZE,
                             "permessage-deflate; server_no_context_takeover; "
                             "client_no_context_takeover");
            if (o.server_bits)
                snprintf(response + n, DEFLATE_RESPONSE_SIZE - (size_t)n,
                         "; server_max_window_bits=%d", o.server_bits);
            return o.server_bits ? o.server_bits : BITS_MAX;
        }
    }
    return 0;
}

/* --- messages ------------------------------------------------------------ */

struct deflate *deflate_new(size_t min)
{
    struct deflate *d = calloc(1, sizeof *d);
    if (d)
        d->min = min;
    return d;
}

int deflate_bits(const struct deflate *d, int bits)
{
    return d->min > 0 || bits == BITS_MAX ? bits : 0;
}

void deflate_free(struct deflate *d)
{
    if (!d)
        return;
    if (d->has_in)
        inflateEnd(&d->in);
    if (d->has_out)
        deflateEnd(&d->out);
    buf_deinit(&d->inflated);
    free(d);
}

/* Inflates all of `part` behind what is in d->inflated. A final block may end a run of
 * blocks, and another run may follow it (RFC 7692 7.2.1). Returns 0 or a close code. */
static int inflate_part(struct deflate *d, struct bytes part, size_t limit)
{
    struct buf *out = &d->inflated;
    d->in.next_in = (Bytef *)(uintptr_t)part.at;
    d->in.avail_in = (uInt)part.len;
    for (;;) {
        size_t room = out->cap - out->len;
        if (room == 0 && out->len > limit)
            return WS_CLOSE_TOO_BIG;
        if (room == 0) {
            if (buf_reserve(out, out->len ? out->len : OUT_FIRST_BYTES) < 0)
                return WS_CLOSE_INTERNAL;
            room = out->cap - out->len;
        }
        if (room > limit + 1 - out->len)
            room = limit + 1 - out->len;
        d->in.next_out = out->at + out->len;
        d->in.avail_out = (uInt)room;
        int status = inflate(&d->in, Z_SYNC_FLUSH);
        out->len += room - d->in.avail_out;
        if (status == Z_MEM_ERROR) /* though all input may be used up */
            return WS_CLOSE_INTERNAL;
        if (out->len > limit)
            return WS_CLOSE_TOO_BIG;
        if (status == Z_STREAM_END)
            inflateResetKeep(&d->in); /* the window is that of the message */
        if (d->in.avail_in == 0 && (status == Z_STREAM_END || d->in.avail_out > 0))
            return 0;
        if (status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END)
            return WS_CLOSE_BAD_DATA;
    }
}

/* Has the last call ended behind a final block, or else between two on a whole octet? */
static bool is_between_blocks(const struct deflate *d)
{
    enum { BETWEEN_BLOCKS = 128, UNUSED_BITS = 63 }; /* zlib.h, inflate() */
    return d->in.total_in == 0 ||
           (d->in.data_type & (BETWEEN_BLOCKS | UNUSED_BITS)) == BETWEEN_BLOCKS;
}

int deflate_inflate(struct deflate *d, struct bytes in, struct bytes dictionary,
                    size_t limit, struct bytes *out)
{
    static const uint8_t tail[4] = {0, 0, 0xFF,
                                    0xFF}; /* cut off by the sender, RFC 7692 7.2.1 */
    if (in.len > UINT32_MAX || limit > UINT32_MAX - 1)
        return WS_CLOSE_TOO_BIG;
    if (!d->has_in && inflateInit2(&d->in, -BITS_MAX) != Z_OK)
        return WS_CLOSE_INTERNAL;
    d->has_in = true;
    inflateReset(&d->in);
    if (dictionary.len &&
        inflateSetDictionary(&d->in, dictionary.at, (uInt)dictionary.len) != Z_OK)
        return WS_CLOSE_INTERNAL;
    d->inflated.len = 0;
    if (d->inflated.cap > OUT_KEEP_BYTES)
        buf_deinit(&d->inflated);
    int code = in.len ? inflate_part(d, in, limit) : 0;
    /* After a final block there may be nothing, though 7.2.3.4 adds an octet; and some
     * senders make an empty message of none. */
    bool whole = in.len == 0 || d->in.total_in == 0;
    if (code == 0 && !whole) {
        code = inflate_part(d, (struct bytes){tail, sizeof tail}, limit);
        if (code == 0 && !is_between_blocks(d))
            code = WS_CLOSE_BAD_DATA;
    }
    if (code == 0)
        *out = buf_bytes(&d->inflated);
    return code;
}

/* The payload of `f` if it is one data frame, else {NULL, 0}. */
static struct bytes payload_of(const struct outframe *f, struct ws_header *h)
{
    struct bytes all = outframe_bytes(f);
    int n = ws_header_parse(all, h);
    if (n <= 0 || h->opcode >= WS_CLOSE || h->rsv)
        return (struct bytes){0};
    return bytes_skip(all, (size_t)n);
}

/* A new frame of `payload` compressed; NULL when that makes it no smaller and need not be
 * done, or memory is out. */
static struct outframe *compress_payload(struct deflate *d, enum ws_opcode op,
                                         struct bytes payload)
{
    if (!d->has_out && deflateInit2(&d->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -BITS_MAX,
                                    8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    d->has_out = true;
    deflateReset(&d->out);
    size_t room = payload.len;
    if (d->min == 0) /* and the empty block that ends it (RFC 7692 7.2.1) */
        room = deflateBound(&d->out, (uLong)payload.len) + 16;
    uint8_t *packed = malloc(room);
    if (!packed)
        return NULL;
    d->out.next_in = (Bytef *)(uintptr_t)payload.at;
    d->out.avail_in = (uInt)payload.len;
    d->out.next_out = packed;
    d->out.avail_out = (uInt)room;
    int status = deflate(&d->out, Z_SYNC_FLUSH);
    size_t len = room - d->out.avail_out;
    struct outframe *f = NULL;
    if (status == Z_OK && d->out.avail_out > 0 && len > 4) {
        uint8_t head[WS_HEADER_WRITE_MAX], *at;
        size_t head_len = ws_header_write(head, true, WS_RSV1, op, len - 4);
        f = outframe_alloc(head_len + len - 4, &at);
        if (f) {
            memcpy(at, head, head_len);
            memcpy(at + head_len, packed, len - 4);
        }
    }
    free(packed);
    return f;
}

void deflate_join(struct deflate *d, struct outframe *const *parts, size_t count,
                  struct outframe *joined)
{
    struct outframe *twins[DEFLATE_JOIN_MAX];
    bool any = false;
    assert(count <= DEFLATE_JOIN_MAX);
    for (size_t i = 0; i < count; i++) {
        twins[i] = deflate_frame(d, parts[i], BITS_MAX);
        any |= d->min == 0 || twins[i]->len < parts[i]->len;
    }
    struct outframe *twin = any ? outframe_join(twins, count) : NULL;
    if (twin)
        (void)outframe_set_twin(joined, twin);
}

struct outframe *deflate_frame(struct deflate *d, struct outframe *f, int bits)
{
    if (f->messages > 1) { /* deflate_join has made its twin, if it is worth one */
        struct outframe *joined = bits == BITS_MAX ? outframe_twin(f) : NULL;
        return joined ? joined : f;
    }
    struct ws_header h = {0};
    struct bytes payload = payload_of(f, &h);
    bool is_data = payload.at != NULL;
    if (!is_data || payload.len < d->min || payload.len > UINT32_MAX / 2 ||
        (bits < BITS_MAX && payload.len > (size_t)1 << bits))
        return f;
    struct outframe *twin = outframe_twin(f);
    if (twin)
        return twin;
    twin = compress_payload(d, (enum ws_opcode)h.opcode, payload);
    if (!twin) /* a plain copy says that it was tried */
        twin = outframe_new_raw(outframe_bytes(f));
    return twin ? outframe_set_twin(f, twin) : f;
}
