/* answer: one allocation an answer. */
#include "wire/answer.h"

#include "wire/http.h"

#include <stdio.h>

struct frame *answer_new(const struct answer *a)
{
    char head[1024], length[48] = "";
    if (a->status != 304) /* RFC 9110 8.6: there it would be that of the 200 */
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", a->body.len);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\n"
                     "Content-Type: %s\r\n"
                     "%s"
                     "X-Content-Type-Options: nosniff\r\n"
                     "%s%s\r\n",
                     a->status, http_reason(a->status),
                     a->type ? a->type : "text/plain; charset=utf-8", length,
                     a->keep_alive ? "" : "Connection: close\r\n",
                     a->fields ? a->fields : "");
    if (n < 0 || (size_t)n >= sizeof head)
        return NULL;
    size_t body = a->head_only || a->status == 304 ? 0 : a->body.len;
    uint8_t *at;
    struct frame *f = frame_alloc((size_t)n + body, &at);
    if (!f)
        return NULL;
    memcpy(at, head, (size_t)n);
    if (body)
        memcpy(at + n, a->body.at, body);
    return f;
}

struct frame *answer_error(int status, const char *why, const char *fields)
{
    char body[256];
    snprintf(body, sizeof body, "%d %s: %s\n", status, http_reason(status), why);
    return answer_new(
        &(struct answer){.status = status, .fields = fields, .body = bytes_of(body)});
}
