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
    size_t more = answer_has_body(a->status) ? a->more : 0;
    /* RFC 9110 8.6: with 204 there is none, with 304 it would be that of the 200. */
    if (a->status != 204 && a->status != 304)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", body + more);
    bool dated = a->date && *a->date;
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\n"
                     "%s%s%s"
                     "Content-Type: %s\r\n"
                     "%s"
                     "X-Content-Type-Options: nosniff\r\n"
                     "%s%s%s\r\n",
                     a->status, http_reason(a->status), dated ? "Date: " : "",
                     dated ? a->date : "", dated ? "\r\n" : "",
                     a->type ? a->type : "text/plain; charset=utf-8", length,
                     a->keep_alive ? "" : "Connection: close\r\n",
                     a->fields ? a->fields : "", a->own ? a->own : "");
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

struct outframe *answer_error(const struct answer *a, const char *why)
{
    char body[256];
    struct answer whole = *a;
    snprintf(body, sizeof body, "%d %s: %s\n", a->status, http_reason(a->status), why);
    whole.body = bytes_of(body);
    return answer_new(&whole);
}

int answer_status(const struct outframe *f)
{
    const uint8_t *digits = f->at + strlen("HTTP/1.1 ");
    return (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + digits[2] - '0';
}

void answer_date(int64_t seconds, char out[ANSWER_DATE_SIZE])
{
    static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[][4] = {"Mar", "Apr", "May", "Jun", "Jul", "Aug",
                                     "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"};
    /* Years begin on the 1st of March here, so that a leap day is its year's last; an era
     * has 400 of them, 146,097 days. 719,468 days lie between 0000-03-01 and 1970. */
    unsigned day = (unsigned)(seconds / 86400), in_day = (unsigned)(seconds % 86400);
    unsigned era = (day + 719468) / 146097, in_era = (day + 719468) % 146097;
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * in_year + 2) / 153; /* 0: March */
    snprintf(out, ANSWER_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[day % 7],
             in_year - (153 * month + 2) / 5 + 1, months[month],
             (era * 400 + year + (month >= 10)) % 10000, in_day / 3600, in_day / 60 % 60,
             in_day % 60);
}
