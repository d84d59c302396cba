/* file: size and time of change are looked at behind every read. A file that is written
 * over while it leaves would reach its reader as half of one text and half of another,
 * with a length that fits neither; sent in one go, that window was the read, and in
 * pieces it is as long as the reader likes. So it ends in the middle instead, which a
 * reader notices by Content-Length. A file that is replaced (another inode under its
 * name) is not affected: the descriptor keeps the old one. */
#include "net/file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct file {
    int fd;
    size_t left;
    off_t size;
    struct timespec changed;
};

struct file *file_new(int fd, const struct stat *st)
{
    struct file *f = malloc(sizeof *f);
    if (f)
        *f = (struct file){fd, (size_t)st->st_size, st->st_size, st->st_mtim};
    return f;
}

void file_free(struct file *f)
{
    if (f)
        close(f->fd);
    free(f);
}

size_t file_left(const struct file *f)
{
    return f->left;
}

static bool is_as_it_was(const struct file *f)
{
    struct stat st;
    return fstat(f->fd, &st) == 0 && st.st_size == f->size &&
           st.st_mtim.tv_sec == f->changed.tv_sec &&
           st.st_mtim.tv_nsec == f->changed.tv_nsec;
}

ssize_t file_read(struct file *f, uint8_t *at, size_t len)
{
    size_t got = 0;
    len = len < f->left ? len : f->left;
    while (got < len) {
        ssize_t n = read(f->fd, at + got, len - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        got += (size_t)n;
    }
    if (!is_as_it_was(f))
        return -1;
    f->left -= got;
    return (ssize_t)got;
}

struct outframe *file_next(struct file *f)
{
    uint8_t *at;
    size_t len = f->left < FILE_PIECE_BYTES ? f->left : FILE_PIECE_BYTES;
    struct outframe *piece = outframe_alloc(len, &at);
    if (piece && file_read(f, at, len) < 0) {
        outframe_unref(piece);
        return NULL;
    }
    return piece;
}
