/* body: one state a place in the grammar, one byte a step, but for the body's own bytes.
 */
#include "wire/body.h"

#include "base/hex.h"

enum body_state {
    BODY_BYTES,      /* Content-Length has said how many */
    BODY_SIZE_FIRST, /* a chunk's size begins */
    BODY_SIZE,       /* and has begun */
    BODY_SPACE,      /* behind the size, before the ';' of an extension */
    BODY_EXTENSION,
    BODY_SIZE_LF, /* ends the chunk's line */
    BODY_CHUNK,   /* the chunk's bytes */
    BODY_CHUNK_CR,
    BODY_CHUNK_LF,
    BODY_FIELD_FIRST, /* a field of the trailer, or the end */
    BODY_FIELD_NAME,
    BODY_FIELD_VALUE,
    BODY_FIELD_LF,
    BODY_END_LF,
    BODY_ENDED,
};

/* Reads digits, as http_head_parse has found them. SIZE_MAX stands for anything beyond.
 */
static size_t length_of(struct bytes digits)
{
    size_t n = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (n > SIZE_MAX / 10 - 1)
            return SIZE_MAX;
        n = n * 10 + (size_t)(digits.at[i] - '0');
    }
    return n;
}

/* The one coding that is read is chunked, alone. */
static int check_coding(const struct http_head *head)
{
    const struct http_field *last = NULL;
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        if (!bytes_equal_nocase(head->fields[i].name, bytes_of("Transfer-Encoding")))
            continue;
        last = &head->fields[i];
        count++;
    }
    static const char name[] = "chunked";
    size_t len = sizeof name - 1;
    if (!last || last->value.len < len ||
        !bytes_equal_nocase(bytes_skip(last->value, last->value.len - len),
                            bytes_of(name)))
        return 400; /* the last coding is not chunked: nothing says where it ends */
    return count == 1 && last->value.len == len ? 0 : 501;
}

int body_init(struct body *b, const struct http_head *head, size_t max)
{
    const struct http_field *length = http_find(head, "Content-Length");
    *b = (struct body){.state = BODY_ENDED};
    if (http_find(head, "Transfer-Encoding")) {
        b->state = BODY_SIZE_FIRST;
        b->room = max;
        return check_coding(head);
    }
    if (!length)
        return 0;
    b->left = length_of(length->value);
    b->state = b->left ? BODY_BYTES : BODY_ENDED;
    return b->left > max ? 413 : 0;
}

/* May `c` stand in an extension or a trailer field's value? */
static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7F);
}

/* The state behind the byte `c` of a line, or -1. */
static int after(struct body *b, uint8_t c)
{
    switch ((enum body_state)b->state) {
    case BODY_SIZE_FIRST:
        if (hex_value(c) < 0)
            return -1;
        b->left = (size_t)hex_value(c);
        return BODY_SIZE;
    case BODY_SIZE:
        if (hex_value(c) >= 0) {
            b->left = b->left > SIZE_MAX / 16 - 1 ? SIZE_MAX
                                                  : b->left * 16 + (size_t)hex_value(c);
            return BODY_SIZE;
        }
        return c == '\r'               ? BODY_SIZE_LF
               : c == ';'              ? BODY_EXTENSION
               : c == ' ' || c == '\t' ? BODY_SPACE
                                       : -1;
    case BODY_SPACE:
        return c == ';' ? BODY_EXTENSION : c == ' ' || c == '\t' ? BODY_SPACE : -1;
    case BODY_EXTENSION:
        return c == '\r' ? BODY_SIZE_LF : is_text(c) ? BODY_EXTENSION : -1;
    case BODY_SIZE_LF:
        if (c != '\n')
            return -1;
        b->lines = 0;
        return b->left ? BODY_CHUNK : BODY_FIELD_FIRST;
    case BODY_CHUNK_CR:
        return c == '\r' ? BODY_CHUNK_LF : -1;
    case BODY_CHUNK_LF:
        b->lines = 0;
        return c == '\n' ? BODY_SIZE_FIRST : -1;
    case BODY_FIELD_FIRST:
        return c == '\r' ? BODY_END_LF : http_is_token_byte(c) ? BODY_FIELD_NAME : -1;
    case BODY_FIELD_NAME:
        return c == ':' ? BODY_FIELD_VALUE : http_is_token_byte(c) ? BODY_FIELD_NAME : -1;
    case BODY_FIELD_VALUE:
        return c == '\r' ? BODY_FIELD_LF : is_text(c) ? BODY_FIELD_VALUE : -1;
    case BODY_FIELD_LF:
        return c == '\n' ? BODY_FIELD_FIRST : -1;
    case BODY_END_LF:
        return c == '\n' ? BODY_ENDED : -1;
    case BODY_BYTES:
    case BODY_CHUNK:
    case BODY_ENDED:
        break;
    }
    return -1;
}

static struct bytes take(struct body *b, struct bytes *in)
{
    struct bytes piece = {in->at, in->len < b->left ? in->len : b->left};
    *in = bytes_skip(*in, piece.len);
    b->left -= piece.len;
    return piece;
}

enum body_step body_next(struct body *b, struct bytes *in, struct bytes *piece)
{
    while (b->state != BODY_ENDED && in->len) {
        if (b->state == BODY_BYTES || b->state == BODY_CHUNK) {
            *piece = take(b, in);
            if (b->left == 0)
                b->state = b->state == BODY_BYTES ? BODY_ENDED : BODY_CHUNK_CR;
            return BODY_PIECE;
        }
        int next = ++b->lines > BODY_LINES_MAX ? -1 : after(b, in->at[0]);
        if (next < 0)
            return BODY_MALFORMED;
        *in = bytes_skip(*in, 1);
        b->state = (uint8_t)next;
        if (next == BODY_SIZE && b->left > b->room)
            return BODY_TOO_LARGE;
        if (next == BODY_CHUNK)
            b->room -= b->left;
    }
    return b->state == BODY_ENDED ? BODY_DONE : BODY_MORE;
}
