/* alloc: wraps malloc, calloc, realloc and free of the code under test (and nobody
 * else's). */
#include "alloc.h"

#include <stdatomic.h>
#include <stdint.h>

static atomic_size_t count, largest, live, victim; /* some tests have threads */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t size);
void __real_free(void *at);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t size);
void __wrap_free(void *at);

void alloc_fail_at(size_t n)
{
    victim = n;
    count = largest = live = 0;
}

size_t alloc_count(void)
{
    return count;
}

size_t alloc_largest(void)
{
    return largest;
}

size_t alloc_live(void)
{
    return live;
}

bool alloc_has_failed(void)
{
    return victim != 0 && count >= victim;
}

static bool is_victim(size_t size)
{
    if (size > largest)
        largest = size;
    return ++count == victim;
}

/* A block came, unless memory was really out. */
static void *came(void *at)
{
    if (at)
        live++;
    return at;
}

void *__wrap_malloc(size_t size)
{
    return is_victim(size) ? NULL : came(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_victim(size && n > SIZE_MAX / size ? SIZE_MAX : n * size)
               ? NULL
               : came(__real_calloc(n, size));
}

void *__wrap_realloc(void *at, size_t size)
{
    if (is_victim(size))
        return NULL;
    return at ? __real_realloc(at, size) : came(__real_realloc(NULL, size));
}

void __wrap_free(void *at)
{
    if (at)
        live--;
    __real_free(at);
}
