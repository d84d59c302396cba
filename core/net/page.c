/* page: one open, fstat and read a request; no cache but the kernel's and the browser's.
 */
#include "net/page.h"

#include "base/hex.h"
#include "wire/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 8 * 1024 * 1024 };

struct page {
    char *root; /* canonical, without a slash at the end */
};

static const char security_fields[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cache-Control: no-cache\r\n";

struct page *page_open(const char *dir)
{
    struct stat st;
    struct page *page = malloc(sizeof *page);
    if (!page)
        return NULL;
    page->root = realpath(dir, NULL);
    if (page->root && stat(page->root, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return page;
        errno = ENOTDIR;
    }
    int why = errno;
    page_close(page);
    errno = why;
    return NULL;
}

void page_close(struct page *page)
{
    if (page)
        free(page->root);
    free(page);
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".txt", "text/plain; charset=utf-8"},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* Decodes %XX into `out` (a C string). Returns 0, or -1 when it is malformed, too long,
 * has a NUL, or has a segment that begins with a dot (hidden files and "..", RFC
 * 3986 5.2.4). */
static int decode_path(struct bytes path, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < path.len; i++) {
        int c = path.at[i];
        if (c == '%') {
            c = i + 2 < path.len ? hex_byte(path.at + i + 1) : -1;
            i += 2;
        }
        if (c <= 0 || n + 1 >= size || (c == '.' && n > 0 && out[n - 1] == '/'))
            return -1;
        out[n++] = (char)c;
    }
    out[n] = 0;
    return 0;
}

/* The canonical path of what is asked for, inside the root. Returns 0 or -1. */
static int resolve(const struct page *page, const struct http_head *head,
                   char out[PATH_MAX])
{
    char path[1024], joined[PATH_MAX];
    if (decode_path(head->path, path, sizeof path) < 0)
        return -1;
    size_t len = strlen(path), root = strlen(page->root);
    const char *index = len > 0 && path[len - 1] == '/' ? "index.html" : "";
    int n = snprintf(joined, sizeof joined, "%s%s%s", page->root, path, index);
    if (n < 0 || (size_t)n >= sizeof joined || !realpath(joined, out))
        return -1;
    return strncmp(out, page->root, root) == 0 && out[root] == '/' ? 0 : -1;
}

static bool is_current(const struct http_head *head, const char *etag)
{
    const struct http_field *f = http_find(head, "If-None-Match");
    return f && memmem(f->value.at, f->value.len, etag, strlen(etag)) != NULL;
}

/* The body of an open file, or NULL. */
static uint8_t *read_whole(int fd, size_t len)
{
    uint8_t *at = malloc(len ? len : 1);
    size_t got = 0;
    while (at && got < len) {
        ssize_t n = read(fd, at + got, len - got);
        if (n <= 0) {
            free(at);
            return NULL;
        }
        got += (size_t)n;
    }
    return at;
}

static struct outframe *answer_file(int fd, const struct stat *st, const char *path,
                                    const struct http_head *head, const char *date,
                                    bool *keep_alive)
{
    char etag[64], fields[sizeof security_fields + 80];
    struct answer a = {
        .status = 200, .type = type_of(path), .keep_alive = *keep_alive, .date = date};
    snprintf(etag, sizeof etag, "\"%llx-%llx-%llx\"", (unsigned long long)st->st_size,
             (unsigned long long)st->st_mtim.tv_sec,
             (unsigned long long)st->st_mtim.tv_nsec);
    snprintf(fields, sizeof fields, "%sETag: %s\r\n", security_fields, etag);
    a.fields = fields;
    a.head_only = bytes_equal(head->method, bytes_of("HEAD"));
    if (is_current(head, etag)) {
        a.status = 304;
        return answer_new(&a);
    }
    uint8_t *body = read_whole(fd, (size_t)st->st_size);
    if (!body) {
        *keep_alive = false;
        a.status = 500;
        a.fields = NULL;
        a.type = NULL;
        a.keep_alive = false;
        return answer_error(&a, "the file could not be read");
    }
    a.body = (struct bytes){body, (size_t)st->st_size};
    struct outframe *f = answer_new(&a);
    free(body);
    return f;
}

struct outframe *page_answer(const struct page *page, const struct http_head *head,
                             const char *date, bool *keep_alive)
{
    char path[PATH_MAX];
    struct stat st;
    int fd = -1;
    struct outframe *f;
    bool head_only = bytes_equal(head->method, bytes_of("HEAD"));
    if (page && resolve(page, head, path) == 0)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        f = answer_new(&(struct answer){.status = 404,
                                        .body = bytes_of("404 Not Found\n"),
                                        .head_only = head_only,
                                        .date = date,
                                        .keep_alive = *keep_alive});
    } else if (st.st_size > FILE_MAX_BYTES) {
        *keep_alive = false;
        f = answer_error(
            &(struct answer){.status = 413, .head_only = head_only, .date = date},
            "the file is larger than 8 MiB");
    } else {
        f = answer_file(fd, &st, path, head, date, keep_alive);
    }
    if (fd >= 0)
        close(fd);
    return f;
}
