/* array: growth of arrays of zeroed elements, whose index is a small number.
 * Does not know: what the elements are.
 * Thread: the one that owns the array.
 * Owner: the caller, who frees it. */
#ifndef CHARLUA_BASE_ARRAY_H
#define CHARLUA_BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/* An array that has an element `i`: `old` (of *cap elements of `size` bytes) itself, or a
 * larger one in its place, whose new elements are zero. Sets *cap. NULL when memory is
 * out (unchanged). */
void *array_reach(void *old, uint32_t *cap, uint32_t i, size_t size);

#endif
