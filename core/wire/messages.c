/* messages: one frame at a time: its header, then its payload as it comes. */
#include "wire/messages.h"

#include "wire/close.h"
#include "wire/utf8.h"

enum reading { READING_HEADER, READING_PAYLOAD, READING_ENDED };

enum lent { LENT_NOTHING, LENT_MESSAGE, LENT_CONTROL };

static enum messages_event fail(struct messages *s, struct messages_out *out, int code,
                                const char *why)
{
    messages_deinit(s);
    s->state = READING_ENDED;
    out->code = (uint16_t)code;
    out->why = why;
    return MESSAGES_FAIL;
}

static bool is_control(uint8_t opcode)
{
    return opcode >= WS_CLOSE;
}

static bool is_known(uint8_t opcode)
{
    return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

/* What RFC 6455 5 says against this header here and now, or NULL. */
static const char *header_judge(const struct messages *s, const struct ws_header *h)
{
    bool first = h->opcode == WS_TEXT || h->opcode == WS_BINARY;
    if (h->rsv & (s->deflate && first ? ~WS_RSV1 : ~0)) /* RFC 7692 6 */
        return "reserved bits are set";
    if (!is_known(h->opcode))
        return "the opcode is reserved";
    if (!h->masked)
        return "the frame is not masked";
    if (is_control(h->opcode)) {
        if (!h->fin)
            return "a control frame is fragmented";
        return h->len > WS_CONTROL_MAX ? "a control frame is too long" : NULL;
    }
    if (h->opcode == WS_CONTINUATION)
        return s->kind ? NULL : "a continuation of no message";
    return s->kind ? "a message within a message" : NULL;
}

/* The close code for a data frame that goes over the limits, with *why, or 0. */
static int limits_judge(const struct messages *s, const struct messages_limits *limits,
                        const struct ws_header *h, const char **why)
{
    if (s->frames > 0 && s->frames >= limits->fragments) {
        *why = "the message has too many fragments";
        return WS_CLOSE_POLICY;
    }
    if (s->message.len > limits->message || h->len > limits->message - s->message.len) {
        *why = "the message is too big";
        return WS_CLOSE_TOO_BIG;
    }
    return 0;
}

static void frame_begin(struct messages *s, const struct ws_header *h)
{
    s->state = READING_PAYLOAD;
    s->left = h->len;
    memcpy(s->key, h->key, sizeof s->key);
    s->mask_pos = 0;
    s->frame = h->opcode;
    if (is_control(h->opcode))
        return;
    s->fin = h->fin;
    s->frames++;
    if (h->opcode != WS_CONTINUATION) {
        s->kind = h->opcode;
        s->compressed = h->rsv & WS_RSV1;
    }
}

/* Takes a header's bytes from `in`; those of an unfinished one are kept. Returns what
 * ws_header_parse says. */
static int header_take(struct messages *s, struct messages_in *in, struct ws_header *h)
{
    size_t had = s->head_len;
    struct bytes head = {in->at, in->len};
    if (had) {
        size_t room = sizeof s->head - had;
        size_t more = in->len < room ? in->len : room;
        if (more)
            memcpy(s->head + had, in->at, more);
        head = (struct bytes){s->head, had + more};
    }
    int n = ws_header_parse(head, h);
    if (n < 0)
        return n;
    size_t used = n ? (size_t)n - had : in->len;
    if (n == 0 && !had && used)
        memcpy(s->head, in->at, used);
    s->head_len = n ? 0 : (uint8_t)(had + used);
    in->at += used;
    in->len -= used;
    return n;
}

/* Takes and unmasks what `in` has of this frame's payload. */
static struct bytes payload_take(struct messages *s, struct messages_in *in)
{
    size_t n = s->left < in->len ? (size_t)s->left : in->len;
    struct bytes part = {in->at, n};
    ws_unmask(in->at, n, s->key, s->mask_pos);
    s->mask_pos = (uint8_t)((s->mask_pos + n) & 3);
    s->left -= n;
    in->at += n;
    in->len -= n;
    return part;
}

static enum messages_event control_end(struct messages *s, struct bytes payload,
                                       struct messages_out *out)
{
    s->state = READING_HEADER;
    if (s->frame != WS_CLOSE) {
        out->data = payload;
        return s->frame == WS_PING ? MESSAGES_PING : MESSAGES_PONG;
    }
    int refused = close_payload_parse(payload, &out->code, &out->data);
    if (refused)
        return fail(s, out, refused, "the Close frame is not valid");
    buf_deinit(&s->message);
    s->state = READING_ENDED;
    return MESSAGES_CLOSE;
}

static enum messages_event control_next(struct messages *s, struct messages_in *in,
                                        struct messages_out *out)
{
    struct bytes part = payload_take(s, in);
    if (s->left == 0 && s->control.len == 0)
        return control_end(s, part, out);
    if (buf_append(&s->control, part) < 0)
        return fail(s, out, WS_CLOSE_INTERNAL, "out of memory");
    if (s->left)
        return MESSAGES_MORE;
    s->lent = LENT_CONTROL;
    return control_end(s, buf_bytes(&s->control), out);
}

static enum messages_event data_next(struct messages *s, struct messages_in *in,
                                     struct messages_out *out)
{
    struct bytes part = payload_take(s, in);
    bool last = s->fin && s->left == 0;
    if (s->kind == WS_TEXT && !s->compressed) {
        s->utf8 = utf8_feed(s->utf8, part);
        if (s->utf8 == UTF8_REJECT || (last && s->utf8 != UTF8_ACCEPT))
            return fail(s, out, WS_CLOSE_BAD_DATA, "the text is not UTF-8");
    }
    bool whole = last && s->message.len == 0;
    if (!whole && buf_append(&s->message, part) < 0)
        return fail(s, out, WS_CLOSE_INTERNAL, "out of memory");
    if (s->left == 0)
        s->state = READING_HEADER;
    if (!last)
        return MESSAGES_MORE;
    out->data = whole ? part : buf_bytes(&s->message);
    out->binary = s->kind == WS_BINARY;
    out->compressed = s->compressed;
    s->lent = whole ? LENT_NOTHING : LENT_MESSAGE;
    s->kind = WS_CONTINUATION;
    s->frames = 0;
    return MESSAGES_MESSAGE;
}

void messages_init(struct messages *s, bool deflate)
{
    *s = (struct messages){
        .state = READING_HEADER, .utf8 = UTF8_ACCEPT, .deflate = deflate};
}

bool messages_is_idle(const struct messages *s)
{
    return s->state == READING_HEADER && s->head_len == 0 && s->kind == WS_CONTINUATION &&
           s->control.len == 0 && s->lent == LENT_NOTHING;
}

size_t messages_size(const struct messages *s)
{
    return sizeof *s + s->message.cap + s->control.cap;
}

void messages_deinit(struct messages *s)
{
    buf_deinit(&s->message);
    buf_deinit(&s->control);
    s->lent = LENT_NOTHING;
}

enum messages_event messages_next(struct messages *s,
                                  const struct messages_limits *limits,
                                  struct messages_in *in, struct messages_out *out)
{
    if (s->lent != LENT_NOTHING)
        buf_deinit(s->lent == LENT_MESSAGE ? &s->message : &s->control);
    s->lent = LENT_NOTHING;
    while (s->state != READING_ENDED) {
        if (s->state == READING_HEADER) {
            struct ws_header h;
            int n = header_take(s, in, &h);
            if (n == 0)
                return MESSAGES_MORE;
            const char *why = n < 0 ? "the length is malformed" : header_judge(s, &h);
            if (why)
                return fail(s, out, WS_CLOSE_PROTOCOL, why);
            int code = is_control(h.opcode) ? 0 : limits_judge(s, limits, &h, &why);
            if (code)
                return fail(s, out, code, why);
            frame_begin(s, &h);
        }
        enum messages_event event =
            is_control(s->frame) ? control_next(s, in, out) : data_next(s, in, out);
        if (event != MESSAGES_MORE || s->state == READING_PAYLOAD)
            return event;
    }
    in->at += in->len;
    in->len = 0;
    return MESSAGES_MORE;
}
