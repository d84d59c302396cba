/* answer: one allocation an answer. */
#include "wire/answer.h"

#include "wire/http.h"

#include <stdio.h>

bool answer_has_body(int status)
{
    return status != 204 && status != 205 && status != 304;
}

struct outframe *answer_new(const struct answer *a)
{
    char head[ANSWER_FIELDS_MAX + 1024], length[48] = "";
    size_t body = answer_has_body(a->status) ? a->body.len : 0;
    /* RFC 9110 8.6: with 204 there is none, with 304 it would be that of the 200. */
    if (a->status != 204 && a->status != 304)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", body);
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
    if (a->head_only)
        body = 0;
    uint8_t *at;
    struct outframe *f = outframe_alloc((size_t)n + body, &at);
    if (!f)
        return NULL;
    memcpy(at, head, (size_t)n);
    if (body)
        memcpy(at + n, a->body.at, body);
    return f;
}

struct outframe *answer_error(int status, const char *why, const char *fields)
{
    char body[256];
    snprintf(body, sizeof body, "%d %s: %s\n", status, http_reason(status), why);
    return answer_new(
        &(struct answer){.status = status, .fields = fields, .body = bytes_of(body)});
}
