/* alloc: preloaded into a server, makes malloc, calloc and realloc fail when it is told
 * to. The file that ALLOC_CONTROL names holds four 64-bit counters, mapped and shared
 * with the test that writes them: allocations until the first that fails (0: none will),
 * how many fail in a row from there, how many have failed, how many were asked for. Those
 * of libev and lua-cjson are spared: both libraries end the process when they get no
 * memory. With ALLOC_ONLY, a part of a library's name, all but those of that library are
 * spared and not counted. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
    _Atomic long long until, burst, failed, asked;
};

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static struct control *control;
static const char *only;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("ALLOC_CONTROL");
    only = getenv("ALLOC_ONLY");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at =
        fd < 0 ? MAP_FAILED
               : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (at != MAP_FAILED)
        control = at;
}

static bool is_spared(const void *caller)
{
    Dl_info info;
    const char *name = dladdr(caller, &info) ? info.dli_fname : NULL;
    if (only)
        return !name || !strstr(name, only);
    return name && (strstr(name, "libev.so") || strstr(name, "cjson.so"));
}

static bool fails(const void *caller)
{
    if (!control || (only && is_spared(caller)))
        return false;
    atomic_fetch_add(&control->asked, 1);
    if (atomic_load(&control->until) <= 0 || is_spared(caller))
        return false;
    /* At 1 it stays until the burst is over. */
    if (atomic_load(&control->until) > 1) {
        atomic_fetch_sub(&control->until, 1);
        return false;
    }
    if (atomic_fetch_sub(&control->burst, 1) <= 1)
        atomic_store(&control->until, 0);
    atomic_fetch_add(&control->failed, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *at, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(at, size);
}
