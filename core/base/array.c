/* array: doubles. calloc, not realloc: of fresh pages those that nobody uses yet cost
 * nothing. */
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

enum { ARRAY_MIN = 16 };

void *array_reach(void *old, uint32_t *cap, uint32_t i, size_t size)
{
    uint32_t wanted = *cap ? *cap : ARRAY_MIN;
    if (i < *cap)
        return old;
    while (wanted <= i) {
        if (wanted > UINT32_MAX / 2)
            return NULL;
        wanted *= 2;
    }
    void *larger = calloc(wanted, size);
    if (!larger)
        return NULL;
    if (old)
        memcpy(larger, old, *cap * size);
    free(old);
    *cap = wanted;
    return larger;
}
