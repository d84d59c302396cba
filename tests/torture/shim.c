/* shim: preloaded into a server, makes its system calls on sockets as awkward as the
 * kernel is allowed to: short reads and writes, EINTR and EAGAIN, and accepts that fail
 * for now; reads of files are short or interrupted. SHIM_SEED is where its random numbers
 * begin, SHIM_ODDS how many of 100 calls are made awkward (default 50). Every loop that
 * polls level-triggered gets through it. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum trouble { NONE, SHORT, INTERRUPTED, NOT_NOW };

/* The real one; found at the first call. */
#define REAL(name)                                                                       \
    static __typeof__(&name) real;                                                       \
    if (!real)                                                                           \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static uint32_t odds = 50;
static _Atomic uint64_t drawn, troubled;

__attribute__((constructor)) static void start(void)
{
    const char *seed = getenv("SHIM_SEED"), *asked = getenv("SHIM_ODDS");
    atomic_store(&drawn, seed ? strtoull(seed, NULL, 10) << 32 : 0);
    if (asked)
        odds = (uint32_t)atoi(asked);
}

/* At the end of an orderly run: how many calls were made awkward, a line in the file that
 * SHIM_REPORT names. */
__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("SHIM_REPORT");
    FILE *f = path ? fopen(path, "a") : NULL;
    if (!f)
        return;
    fprintf(f, "%llu\n", (unsigned long long)atomic_load(&troubled));
    fclose(f);
}

/* splitmix64 of a counter: threads share it and none waits. */
static uint32_t draw(uint32_t below)
{
    uint64_t z = (atomic_fetch_add(&drawn, 1) + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 33) % below;
}

/* The standard streams and what is neither a socket nor a file are left alone. */
static enum trouble trouble(int fd)
{
    struct stat st;
    if (draw(100) >= odds || fd <= STDERR_FILENO || fstat(fd, &st) < 0)
        return NONE;
    atomic_fetch_add(&troubled, 1);
    if (S_ISSOCK(st.st_mode))
        return (enum trouble)(SHORT + draw(3));
    return S_ISREG(st.st_mode) ? (enum trouble)(SHORT + draw(2)) : NONE;
}

static size_t shorter(size_t len)
{
    return len > 1 ? 1 + draw(len < 9 ? (uint32_t)len : 8) : len;
}

/* Takes care of the two that fail; else 0. */
static int fails(enum trouble what)
{
    errno = what == INTERRUPTED ? EINTR : EAGAIN;
    return what == INTERRUPTED || what == NOT_NOW;
}

ssize_t recv(int fd, void *at, size_t len, int flags)
{
    REAL(recv);
    enum trouble what = trouble(fd);
    return fails(what) ? -1 : real(fd, at, what == SHORT ? shorter(len) : len, flags);
}

ssize_t read(int fd, void *at, size_t len)
{
    REAL(read);
    enum trouble what = trouble(fd);
    return fails(what) ? -1 : real(fd, at, what == SHORT ? shorter(len) : len);
}

ssize_t write(int fd, const void *at, size_t len)
{
    REAL(write);
    enum trouble what = trouble(fd);
    return fails(what) ? -1 : real(fd, at, what == SHORT ? shorter(len) : len);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    REAL(sendmsg);
    enum trouble what = trouble(fd);
    struct iovec first;
    struct msghdr part = *msg;
    if (fails(what))
        return -1;
    if (what == SHORT && msg->msg_iovlen > 0) {
        first = msg->msg_iov[0];
        first.iov_len = shorter(first.iov_len);
        part.msg_iov = &first;
        part.msg_iovlen = 1;
    }
    return real(fd, &part, flags);
}

/* Without a ring every stream writes for itself, through the calls above. */
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
    (void)entries, (void)ring, (void)flags;
    return -ENOSYS;
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    REAL(accept4);
    enum trouble what = trouble(fd);
    if (what == SHORT) { /* a connection that was reset before it was taken */
        errno = ECONNABORTED;
        return -1;
    }
    return fails(what) ? -1 : real(fd, addr, len, flags);
}
