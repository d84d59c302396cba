/* file: an open file that leaves a piece at a time, so that a reader who takes nothing
 * makes us keep one piece and not the file.
 * Does not know: paths, HTTP, or who reads.
 * Thread: any; one at a time.
 * Owner: who opened it; the conn that sends it, in the end. */
#ifndef CHARLUA_NET_FILE_H
#define CHARLUA_NET_FILE_H

#include "wire/outframe.h"

#include <sys/stat.h>
#include <sys/types.h>

struct file;

enum { FILE_PIECE_BYTES = 64 * 1024 };

/* A file over the descriptor `fd`, which it owns from now on, as `st` has it: what it
 * holds later is not the same file. NULL when memory is out: then the caller still owns
 * `fd`. */
struct file *file_new(int fd, const struct stat *st);
void file_free(struct file *f);

/* Bytes that are still to be read. */
size_t file_left(const struct file *f);

/* Reads the next bytes, at most `len`, into `at`. Returns how many, 0 behind the last, or
 * -1: it can't be read, or is not the file any more that it was. */
ssize_t file_read(struct file *f, uint8_t *at, size_t len);

/* The next piece, ready for a socket; NULL when file_read would fail or memory is out.
 * Something has to be left. */
struct outframe *file_next(struct file *f);

#endif
