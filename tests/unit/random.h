/* random: the same numbers in every run, for tests that walk at random.
 * Does not know: what they decide.
 * Thread: one a state.
 * Owner: the caller; the state is a number, any but zero. */
#ifndef CHARLUA_UNIT_RANDOM_H
#define CHARLUA_UNIT_RANDOM_H

#include <stdint.h>

/* A number from 0 to below - 1 (xorshift64*). */
static inline uint32_t random_below(uint64_t *state, uint32_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * 0x2545F4914F6CDD1DU) >> 33) % below;
}

#endif
