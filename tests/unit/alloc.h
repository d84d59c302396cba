/* alloc: makes the Nth allocation fail, and counts them; the linker puts it in malloc's
 * place with --wrap. Does not know: what is tested. Thread: any, but alloc_fail_at.
 * Owner: the test program. */
#ifndef CHARLUA_UNIT_ALLOC_H
#define CHARLUA_UNIT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the `n`th allocation (from 1) and no other fails; with 0 none does. Starts
 * the counts below at zero. */
void alloc_fail_at(size_t n);

/* Allocations since alloc_fail_at, the failed one included. */
size_t alloc_count(void);

/* The size of the largest allocation since alloc_fail_at, the failed one included. */
size_t alloc_largest(void);

/* Blocks allocated since alloc_fail_at and not freed: zero when the code under test has
 * cleaned up, if it freed nothing that is older or that libc allocated. */
size_t alloc_live(void);

/* True once the chosen allocation has failed. */
bool alloc_has_failed(void);

#endif
