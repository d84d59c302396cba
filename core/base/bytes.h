/* bytes: a borrowed slice of memory, with the cuts and comparisons that parsers need.
 * Does not know: who owns the memory, or what encoding it is in.
 * Thread: any (values only).
 * Owner: nobody; a slice is passed by value and never freed. */
#ifndef CHARLUA_BASE_BYTES_H
#define CHARLUA_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct bytes {
    const uint8_t *at;
    size_t len;
};

/* The bytes of a C string without its NUL; borrows `text`. */
static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Equal but for the case of ASCII letters (field names and tokens, RFC 9110 5.1). */
static inline bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp((const char *)a.at,
                                                        (const char *)b.at, a.len) == 0);
}

/* The slice without its first `n` bytes; n is at most b.len. */
static inline struct bytes bytes_skip(struct bytes b, size_t n)
{
    return (struct bytes){b.at + n, b.len - n};
}

/* Its first `n` bytes; n is at most b.len. */
static inline struct bytes bytes_first(struct bytes b, size_t n)
{
    return (struct bytes){b.at, n};
}

/* What stands before the first `mark`; all of it where there is none. */
static inline struct bytes bytes_until(struct bytes b, char mark)
{
    const uint8_t *at = b.len ? (const uint8_t *)memchr(b.at, mark, b.len) : NULL;
    return at ? bytes_first(b, (size_t)(at - b.at)) : b;
}

/* Cuts what stands before the first `mark` off *rest, and the mark with it; all of it
 * where there is none. */
static inline struct bytes bytes_cut(struct bytes *rest, char mark)
{
    struct bytes part = bytes_until(*rest, mark);
    *rest = bytes_skip(*rest, part.len < rest->len ? part.len + 1 : part.len);
    return part;
}

/* The slice without the spaces and tabs around it (OWS, RFC 9110 5.6.3). */
static inline struct bytes bytes_trim(struct bytes b)
{
    while (b.len && (b.at[0] == ' ' || b.at[0] == '\t'))
        b = bytes_skip(b, 1);
    while (b.len && (b.at[b.len - 1] == ' ' || b.at[b.len - 1] == '\t'))
        b.len--;
    return b;
}

#endif
