/* unit: what unit tests share: cmocka, slices of literals, a guard page, tables as tests.
 * Does not know: any module of the core but base/bytes.
 * Thread: one.
 * Owner: nobody; each test program has its own copy. */
#ifndef CHARLUA_UNIT_UNIT_H
#define CHARLUA_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc.h"
#include "base/bytes.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* A string literal, NULs in it included, as a slice: in an initializer, in an expression.
 */
#define LITERAL(text)                                                                    \
    {                                                                                    \
        (const uint8_t *)(text), sizeof(text) - 1                                        \
    }
#define BYTES(text) ((struct bytes)LITERAL(text))

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A writable copy of `b` that ends where an unmapped page begins: reading or writing past
 * its end is a crash. Valid until the next call; at most 1 MiB. */
static inline uint8_t *guard_copy(struct bytes b)
{
    enum { SIZE = 1 << 20 };
    static uint8_t *area;
    if (!area) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        area = mmap(NULL, SIZE + page, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(area != MAP_FAILED);
        assert_int_equal(mprotect(area + SIZE, page, PROT_NONE), 0);
    }
    assert_true(b.len <= SIZE);
    uint8_t *at = area + SIZE - b.len;
    if (b.len)
        memcpy(at, b.at, b.len);
    return at;
}

/* The same as a slice. */
static inline struct bytes guarded(struct bytes b)
{
    return (struct bytes){guard_copy(b), b.len};
}

static inline void assert_bytes_equal(struct bytes got, struct bytes wanted)
{
    assert_int_equal(got.len, wanted.len);
    if (wanted.len)
        assert_memory_equal(got.at, wanted.at, wanted.len);
}

/* Makes a test of each row of a table whose rows begin with their test's name; returns
 * the next free place in `tests`. */
static inline struct CMUnitTest *unit_rows(struct CMUnitTest *tests, void *rows,
                                           size_t count, size_t size,
                                           CMUnitTestFunction f)
{
    for (size_t i = 0; i < count; i++) {
        char *row = (char *)rows + i * size;
        const char *name;
        memcpy(&name, row, sizeof name);
        *tests++ =
            (struct CMUnitTest){.name = name, .test_func = f, .initial_state = row};
    }
    return tests;
}

#define UNIT_ROWS(tests, table, f)                                                       \
    unit_rows(tests, (void *)(uintptr_t)(table), COUNT(table), sizeof *(table), f)

#endif
