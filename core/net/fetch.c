/* fetch: libcurl's multi interface, which also keeps the queue of those beyond
 * FETCH_AT_ONCE. HTTP/1.1 only: then a connection is one request. A little longer than
 * other files: libcurl is told all that it may not do by itself. */
#include "net/fetch.h"

#include "base/clock.h"
#include "base/map.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INBOX_BYTES (4UL * 1024 * 1024)

enum {
    CONNECT_MS = 5000,    /* at most, and at least before a lookup is given up */
    HEAD_MAX = 64 * 1024, /* bytes of an answer's fields */
};

/* A request and what has come of its answer. */
struct transfer {
    struct fetch *fetch;
    uint64_t id;
    CURL *easy;
    struct curl_slist *fields;
    struct buf answer; /* fields, then body */
    size_t head_len;   /* of the answer */
    bool in_body, too_large, paused;
    bool is_looking_up; /* has begun to resolve the host's name */
    bool is_called_off; /* goes on without anyone waiting for it */
};

struct fetch {
    struct fetch_setup setup;
    struct mailbox inbox;
    struct batch mail, out;
    struct map transfers; /* by id */
    CURLM *multi;
    bool any_paused;
    bool has_thread;
    pthread_t thread;
    atomic_bool ending;
};

/* --- answers ------------------------------------------------------------- */

/* Answers request `id` with nothing but a reason. When memory is out even for that,
 * whoever waits hears it from his clock. */
static void refuse(struct fetch *f, uint64_t id, const char *why)
{
    struct mail m = {.kind = MAIL_FETCHED, .id = id};
    (void)batch_add(&f->out, &m, bytes_of(why));
}

static const char *reason(const struct transfer *t, CURLcode result)
{
    if (t->too_large)
        return "too large";
    if (result == CURLE_WRITE_ERROR || result == CURLE_OUT_OF_MEMORY)
        return "not enough memory";
    if (result == CURLE_OPERATION_TIMEDOUT)
        return "timeout";
    if (result == CURLE_COULDNT_RESOLVE_HOST)
        return "no such host";
    if (result == CURLE_COULDNT_CONNECT)
        return "not connected";
    if (result == CURLE_PEER_FAILED_VERIFICATION)
        return "bad certificate";
    return curl_easy_strerror(result);
}

static void note_limit(const struct fetch *f)
{
    limit_reached(f->setup.stats->limits, LIMIT_HTTP_MAX, NULL, clock_ms(), f->setup.log);
}

static void answer(struct fetch *f, struct transfer *t, CURLcode result)
{
    long status = 0;
    if (t->too_large)
        note_limit(f);
    if (result == CURLE_OK)
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    struct mail m = {.kind = MAIL_FETCHED, .id = t->id};
    m.fetched.status = (uint16_t)status;
    m.fetched.head_len = (uint32_t)(t->in_body ? t->head_len : t->answer.len);
    if (status == 0)
        refuse(f, t->id, reason(t, result));
    else if (batch_add(&f->out, &m, buf_bytes(&t->answer)) < 0)
        refuse(f, t->id, "not enough memory");
}

/* --- one transfer -------------------------------------------------------- */

/* Adds what came to the answer, which may have `max` bytes. Returns `len`, or 0 to give
 * the transfer up. */
static size_t keep(struct transfer *t, const char *at, size_t len, size_t max)
{
    if (len > max || t->answer.len > max - len) {
        t->too_large = true;
        return 0;
    }
    return buf_append(&t->answer, (struct bytes){(const uint8_t *)at, len}) < 0 ? 0 : len;
}

/* A line of the head: a status line begins it anew (after 100 Continue and the like), and
 * of the fields behind the body, if there are any, nobody was told. */
static size_t on_head(char *at, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * n;
    if (t->in_body)
        return len;
    if (len >= 5 && memcmp(at, "HTTP/", 5) == 0) {
        t->answer.len = 0;
        return len;
    }
    return memchr(at, ':', len) ? keep(t, at, len, HEAD_MAX) : len;
}

static size_t on_body(char *at, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    if (mailbox_is_full(t->fetch->setup.host)) { /* it comes again when there is room */
        t->paused = t->fetch->any_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!t->in_body)
        t->head_len = t->answer.len;
    t->in_body = true;
    return keep(t, at, size * n, t->head_len + t->fetch->setup.body_max);
}

static int on_lookup(void *state, void *reserved, void *ctx)
{
    (void)state, (void)reserved;
    ((struct transfer *)ctx)->is_looking_up = true;
    return 0;
}

static int on_connected(void *ctx, char *to, char *from, int to_port, int from_port)
{
    (void)to, (void)from, (void)to_port, (void)from_port;
    const struct transfer *t = ctx;
    return t->is_called_off ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void transfer_free(struct transfer *t)
{
    if (t->easy) {
        curl_multi_remove_handle(t->fetch->multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->fields);
    buf_deinit(&t->answer);
    free(t);
}

/* Cuts the text up to a NUL off *rest: who made the mail put one there. */
static const char *cut(struct bytes *rest)
{
    const char *text = (const char *)rest->at;
    *rest = bytes_skip(*rest, strlen(text) + 1);
    return text;
}

static bool add_field(struct transfer *t, const char *line)
{
    struct curl_slist *fields = curl_slist_append(t->fields, line);
    t->fields = fields ? fields : t->fields;
    return fields != NULL;
}

/* The fields of the request: its own, and none that curl would add by itself. */
static bool set_fields(struct transfer *t, struct bytes lines)
{
    bool typed = false, added = add_field(t, "Expect:");
    while (added && lines.len) {
        const char *line = cut(&lines);
        typed |= strncasecmp(line, "Content-Type:", 13) == 0;
        added = add_field(t, line);
    }
    return added && (typed || add_field(t, "Content-Type:"));
}

/* Whom it may trust and what it may do by itself: nothing. */
static CURLcode set_rules(const struct fetch *f, CURL *easy)
{
    CURLcode bad = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* nor one of the environment */
    bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    bad |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* waits for no name server */
    if (f->setup.ca)
        bad |= curl_easy_setopt(easy, CURLOPT_CAINFO, f->setup.ca);
    return bad;
}

/* Sets the transfer up as `m` says. */
static bool set_up(struct transfer *t, const struct mail *m)
{
    struct bytes lines = {mail_bytes(m).at, m->fetch.head_len};
    struct bytes body = bytes_skip(mail_bytes(m), m->fetch.head_len);
    const char *method = cut(&lines), *url = cut(&lines);
    long ms = (long)m->fetch.time_ms;
    CURL *easy = t->easy;
    CURLcode bad = set_rules(t->fetch, easy);
    bad |= curl_easy_setopt(easy, CURLOPT_URL, url);
    bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "charlua");
    bad |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms > CONNECT_MS ? ms : CONNECT_MS);
    bad |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    bad |= curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_lookup);
    bad |= curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, t);
    bad |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    bad |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
    bad |= curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    bad |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    bad |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    if (m->fetch.has_body) {
        bad |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        bad |= curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.at);
    }
    if (strcmp(method, "HEAD") == 0)
        bad |= curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        bad |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    return bad == CURLE_OK && set_fields(t, lines) &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->fields) == CURLE_OK;
}

/* NULL when memory is out. */
static struct transfer *transfer_new(struct fetch *f, const struct mail *m)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->fetch = f;
    t->id = m->id;
    t->easy = curl_easy_init();
    if (!t->easy || !set_up(t, m) || map_put(&f->transfers, t->id, t) < 0) {
        transfer_free(t);
        return NULL;
    }
    return t;
}

/* --- the thread ---------------------------------------------------------- */

static void start(struct fetch *f, const struct mail *m)
{
    if (f->transfers.count == FETCH_MAX) {
        refuse(f, m->id, "too many requests");
        return;
    }
    struct transfer *t = transfer_new(f, m);
    if (!t) {
        refuse(f, m->id, "not enough memory");
    } else if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) {
        refuse(f, m->id, "not enough memory");
        transfer_free(map_take(&f->transfers, t->id));
    }
}

/* A name that is being looked up has a thread of libcurl's, which nothing ends before its
 * time: it keeps its place among those at once, so that there are not more and more. */
static void call_off(struct fetch *f, uint64_t id)
{
    struct transfer *t = map_get(&f->transfers, id);
    curl_off_t looked_up = 0; /* microseconds */
    if (!t)
        return;
    curl_easy_getinfo(t->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up);
    t->is_called_off = t->is_looking_up && looked_up == 0;
    if (!t->is_called_off)
        transfer_free(map_take(&f->transfers, id));
}

static void take_mail(struct fetch *f)
{
    size_t at = 0;
    mailbox_take(&f->inbox, &f->mail);
    for (struct mail *m; (m = batch_next(&f->mail, &at));) {
        if (m->kind == MAIL_FETCH)
            start(f, m);
        else if (m->kind == MAIL_FETCH_CANCEL)
            call_off(f, m->id);
    }
}

/* Those that stopped for a full inbox go on when it has room. */
static void go_on(struct fetch *f)
{
    size_t at = 0;
    if (!f->any_paused || mailbox_is_full(f->setup.host))
        return;
    f->any_paused = false;
    for (struct transfer *t; (t = map_next(&f->transfers, &at));) {
        if (!t->paused)
            continue;
        t->paused = false;
        (void)curl_easy_pause(t->easy, CURLPAUSE_CONT);
    }
}

static void finish(struct fetch *f)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(f->multi, &left));) {
        struct transfer *t;
        if (m->msg != CURLMSG_DONE ||
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) != CURLE_OK)
            continue;
        if (!t->is_called_off)
            answer(f, t, m->data.result);
        transfer_free(map_take(&f->transfers, t->id));
    }
    (void)mailbox_post(f->setup.host, &f->out); /* what it can't hold now, it can later */
}

static void *fetch_main(void *arg)
{
    struct fetch *f = arg;
    int running;
    while (!atomic_load(&f->ending)) {
        take_mail(f);
        go_on(f);
        (void)curl_multi_perform(f->multi, &running);
        finish(f);
        (void)curl_multi_poll(f->multi, NULL, 0, INT_MAX, NULL);
    }
    return NULL;
}

/* --- life ---------------------------------------------------------------- */

static void on_mail(void *ctx)
{
    fetch_wake(ctx);
}

static void on_drained(void *ctx)
{
    (void)ctx; /* the host does not wait: it says no while this inbox is full */
}

struct mailbox *fetch_inbox(struct fetch *f)
{
    return &f->inbox;
}

void fetch_wake(struct fetch *f)
{
    if (f)
        (void)curl_multi_wakeup(f->multi);
}

struct fetch *fetch_new(const struct fetch_setup *setup, char *error, size_t size)
{
    if (setup->ca && access(setup->ca, R_OK) < 0) {
        snprintf(error, size, "cannot read --http-ca %s: say a PEM file of certificates",
                 setup->ca);
        return NULL;
    }
    struct fetch *f = calloc(1, sizeof *f);
    bool has_curl = f && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (has_curl) {
        f->setup = *setup;
        mailbox_init(&f->inbox, INBOX_BYTES, on_mail, on_drained, f);
        f->multi = curl_multi_init();
        f->has_thread = f->multi &&
                        curl_multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                                          (long)FETCH_AT_ONCE) == CURLM_OK &&
                        pthread_create(&f->thread, NULL, fetch_main, f) == 0;
        if (f->has_thread)
            return f;
        fetch_free(f);
    } else {
        free(f);
    }
    snprintf(error, size, "cannot start the thread that asks services: out of memory");
    return NULL;
}

void fetch_free(struct fetch *f)
{
    size_t at = 0;
    if (!f)
        return;
    atomic_store(&f->ending, true);
    fetch_wake(f);
    if (f->has_thread)
        pthread_join(f->thread, NULL);
    for (struct transfer *t; (t = map_next(&f->transfers, &at));)
        transfer_free(t);
    map_deinit(&f->transfers);
    curl_multi_cleanup(f->multi);
    curl_global_cleanup();
    mailbox_deinit(&f->inbox);
    buf_deinit(&f->mail.buf);
    buf_deinit(&f->out.buf);
    free(f);
}
