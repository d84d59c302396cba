/* page: one open and fstat a request, and a read a piece; no cache but the kernel's and
 * the browser's. */
#include "net/page.h"

#include "base/hex.h"

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

/* The canonical path of what lies at `path` (decoded) and `more`, inside the root.
 * Returns 0 or -1. */
static int resolve(const struct page *page, const char *path, const char *more,
                   char out[PATH_MAX])
{
    char joined[PATH_MAX];
    size_t root = strlen(page->root);
    int n = snprintf(joined, sizeof joined, "%s%s%s", page->root, path, more);
    if (n < 0 || (size_t)n >= sizeof joined || !realpath(joined, out))
        return -1;
    return strncmp(out, page->root, root) == 0 && out[root] == '/' ? 0 : -1;
}

/* Opens the regular file at `path` (canonical). Returns the descriptor, or -1; errno is
 * EMFILE or the like where another time would be better. */
static int open_file(const char *path, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || (fstat(fd, st) == 0 && S_ISREG(st->st_mode)))
        return fd;
    close(fd);
    errno = ENOENT;
    return -1;
}

/* Whether the client has it: "*" stands for anything that is there; W/ before a tag does
 * not matter (RFC 9110 13.1.2). The field may be there more than once. */
static bool is_current(const struct http_head *head, struct bytes etag)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct bytes list = head->fields[i].value;
        if (!bytes_equal_nocase(head->fields[i].name, bytes_of("If-None-Match")))
            continue;
        while (list.len) {
            struct bytes tag = bytes_trim(bytes_cut(&list, ','));
            if (tag.len > 2 && memcmp(tag.at, "W/", 2) == 0)
                tag = bytes_skip(tag, 2);
            if (bytes_equal(tag, etag) || bytes_equal(tag, bytes_of("*")))
                return true;
        }
    }
    return false;
}

static void fail(struct page_answer *out, int status, const char *text)
{
    out->answer = (struct answer){.status = status,
                                  .body = bytes_of(text),
                                  .fields = status == 503 ? "Retry-After: 5\r\n" : NULL};
}

/* Reads the beginning of the file, which is all of most. Returns 0 or -1. */
static int read_first(struct page_answer *out, int fd, const struct stat *st)
{
    size_t len = st->st_size < FILE_PIECE_BYTES ? (size_t)st->st_size : FILE_PIECE_BYTES;
    out->body = malloc(len ? len : 1);
    out->rest = out->body ? file_new(fd, st) : NULL;
    if (!out->rest) {
        close(fd);
        return -1;
    }
    if (file_read(out->rest, out->body, len) < 0)
        return -1;
    out->answer.body = (struct bytes){out->body, len};
    out->answer.more = file_left(out->rest);
    if (out->answer.more == 0) {
        file_free(out->rest);
        out->rest = NULL;
    }
    return 0;
}

/* Answers with an open file, which is this function's to close. */
static void answer_file(struct page_answer *out, int fd, const struct stat *st,
                        const char *path, const struct http_head *head)
{
    char etag[64];
    int n = snprintf(
        etag, sizeof etag, "\"%llx-%llx-%llx\"", (unsigned long long)st->st_size,
        (unsigned long long)st->st_mtim.tv_sec, (unsigned long long)st->st_mtim.tv_nsec);
    snprintf(out->fields, sizeof out->fields, "%sETag: %s\r\n", security_fields, etag);
    out->answer =
        (struct answer){.status = 200, .type = type_of(path), .fields = out->fields};
    if (st->st_size > FILE_MAX_BYTES) {
        close(fd);
        fail(out, 413, "413 Content Too Large: the file is larger than 8 MiB\n");
    } else if (is_current(head, (struct bytes){(uint8_t *)etag, (size_t)n})) {
        close(fd);
        out->answer.status = 304;
    } else if (bytes_equal(head->method, bytes_of("HEAD"))) {
        close(fd);
        out->answer.more = (size_t)st->st_size;
    } else if (read_first(out, fd, st) < 0) {
        page_answer_deinit(out);
        fail(out, 500, "500 Internal Server Error: the file could not be read\n");
    }
}

/* Answers for a folder whose slash is missing with where its page is: links in it are
 * relative to the folder. False where there is no page. One slash begins the place, for
 * with two the next word would be a host (RFC 3986 4.2). */
static bool answer_folder(struct page_answer *out, const struct page *page,
                          const char *path, const struct http_head *head)
{
    char index[PATH_MAX];
    struct stat st;
    struct bytes place = head->path;
    if (resolve(page, path, "/index.html", index) < 0 || stat(index, &st) < 0 ||
        !S_ISREG(st.st_mode))
        return false;
    while (place.len > 1 && place.at[1] == '/')
        place = bytes_skip(place, 1);
    int n = snprintf(out->fields, sizeof out->fields, "Location: %.*s/%s%.*s\r\n",
                     (int)place.len, (const char *)place.at, head->query.len ? "?" : "",
                     (int)head->query.len, (const char *)head->query.at);
    if (n < 0 || (size_t)n >= sizeof out->fields)
        return false;
    out->answer = (struct answer){.status = 301,
                                  .fields = out->fields,
                                  .body = bytes_of("301 Moved Permanently\n")};
    return true;
}

void page_answer(const struct page *page, const struct http_head *head,
                 struct page_answer *out)
{
    char path[1024], canonical[PATH_MAX];
    struct stat st;
    *out = (struct page_answer){0};
    fail(out, 404, "404 Not Found\n");
    if (!page || decode_path(head->path, path, sizeof path) < 0)
        return;
    size_t len = strlen(path);
    const char *index = len && path[len - 1] == '/' ? "index.html" : "";
    if (resolve(page, path, index, canonical) < 0 ||
        (!*index && answer_folder(out, page, path, head)))
        return;
    int fd = open_file(canonical, &st);
    if (fd >= 0)
        answer_file(out, fd, &st, canonical, head);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        fail(out, 503, "503 Service Unavailable: too busy, try again later\n");
}

void page_answer_deinit(struct page_answer *out)
{
    file_free(out->rest);
    free(out->body);
    out->rest = NULL;
    out->body = NULL;
}
