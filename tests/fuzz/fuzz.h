/* fuzz: what the fuzz targets share: one entry point, and a way to cut the input into
 * pieces by itself. Does not know: which target it is in. Thread: one. Owner: nobody. */
#ifndef CHARLUA_FUZZ_H
#define CHARLUA_FUZZ_H

#include "base/bytes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run when a rule is broken, whatever NDEBUG says. */
#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* Takes the first byte off *in; 0 when nothing is left. */
static inline uint8_t fuzz_byte(struct bytes *in)
{
    if (in->len == 0)
        return 0;
    uint8_t byte = *in->at;
    *in = bytes_skip(*in, 1);
    return byte;
}

#endif
