/* page: the static files of one folder, as HTTP answers.
 * Does not know: sockets, upgrades, or which shard asks.
 * Thread: any number at once; it changes nothing after page_open.
 * Owner: the server; shards borrow it. */
#ifndef CHARLUA_NET_PAGE_H
#define CHARLUA_NET_PAGE_H

#include "net/file.h"
#include "wire/answer.h"
#include "wire/http.h"

struct page;

/* Serves the folder `dir`. NULL, with errno set, when it is not a readable folder. */
struct page *page_open(const char *dir);
void page_close(struct page *page);

enum { PAGE_FIELDS_MAX = 4 * 1024 };

/* What is answered, and what that needs until it has been made a frame. */
struct page_answer {
    struct answer answer; /* without what is the connection's: head_only, keep_alive */
    struct file *rest;    /* what of the body is still to be read; NULL: nothing */
    uint8_t *body;
    char fields[PAGE_FIELDS_MAX];
};

/* Answers a GET or HEAD: the file (index.html for a folder, to which 301 leads if its
 * slash is missing), 304 when the client's copy is current (RFC 9110 13.1.2), 404 for
 * what is not there, is hidden or lies outside the folder, 413 for a file over 8 MiB, 503
 * when descriptors are out. `page` may be NULL: then there are no files. Whoever takes
 * `rest` nulls it. */
void page_answer(const struct page *page, const struct http_head *head,
                 struct page_answer *out);
void page_answer_deinit(struct page_answer *out);

#endif
