/* page: the static files of one folder, as HTTP answers.
 * Does not know: sockets, upgrades, or which shard asks.
 * Thread: any number at once; it changes nothing after page_open.
 * Owner: the server; shards borrow it. */
#ifndef CHARLUA_NET_PAGE_H
#define CHARLUA_NET_PAGE_H

#include "wire/outframe.h"
#include "wire/http.h"

struct page;

/* Serves the folder `dir`. NULL, with errno set, when it is not a readable folder. */
struct page *page_open(const char *dir);
void page_close(struct page *page);

/* Answers a GET or HEAD: the file (index.html for a folder), 304 when the client's copy
 * is current (RFC 9110 13.1.2), 404 for what is not there, is hidden or lies outside the
 * folder, 413 for a file over 8 MiB. `page` may be NULL: then there are no files. `date`
 * is the answer's. NULL when memory is out. */
struct outframe *page_answer(const struct page *page, const struct http_head *head,
                             const char *date, bool *keep_alive);

#endif
