/* request: the head and the body lie one behind the other, as the mail will have them. */
#include "net/request.h"

#include "base/buf.h"
#include "wire/body.h"

#include <stdlib.h>

struct request {
    enum request_kind kind;
    struct body parser;
    struct buf text;
    size_t head_len;
};

struct request *request_new(enum request_kind kind, const struct http_head *head,
                            struct bytes text, size_t body_max, int *status)
{
    struct body parser;
    *status = body_init(&parser, head, body_max);
    if (*status)
        return NULL;
    struct request *r = calloc(1, sizeof *r);
    if (r && buf_append(&r->text, text) == 0) {
        r->kind = kind;
        r->parser = parser;
        r->head_len = text.len;
        return r;
    }
    free(r);
    *status = 503;
    return NULL;
}

void request_free(struct request *r)
{
    if (r)
        buf_deinit(&r->text);
    free(r);
}

int request_take(struct request *r, struct bytes *in)
{
    struct bytes piece;
    for (;;) {
        switch (body_next(&r->parser, in, &piece)) {
        case BODY_MORE:
            return 0;
        case BODY_PIECE:
            if (r->kind == REQUEST_FOR_RULES && buf_append(&r->text, piece) < 0)
                return 503;
            break;
        case BODY_DONE:
            return REQUEST_WHOLE;
        case BODY_TOO_LARGE:
            return 413;
        case BODY_MALFORMED:
            return 400;
        }
    }
}

const char *request_fault(int status)
{
    return status == 413   ? "the request's body is too large"
           : status == 501 ? "the one transfer coding that is read is chunked"
           : status == 503 ? "too busy, try again later"
                           : "malformed body";
}

enum request_kind request_kind(const struct request *r)
{
    return r->kind;
}

struct bytes request_head(const struct request *r)
{
    return (struct bytes){r->text.at, r->head_len};
}

struct bytes request_body(const struct request *r)
{
    return bytes_skip(buf_bytes(&r->text), r->head_len);
}

size_t request_size(const struct request *r)
{
    return sizeof *r + r->text.cap;
}

bool request_awaits_continue(const struct http_head *head)
{
    return head->minor > 0 && http_has_body(head) &&
           http_has_token(head, "Expect", "100-continue");
}
