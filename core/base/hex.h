/* hex: hexadecimal digits and the bytes that they stand for.
 * Does not know: what is encoded so.
 * Thread: any (values only).
 * Owner: nobody. */
#ifndef CHARLUA_BASE_HEX_H
#define CHARLUA_BASE_HEX_H

#include <stdint.h>

/* The value of the digit `c`, in either case, or -1. */
static inline int hex_value(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The byte that the two digits at `at` stand for, or -1. */
static inline int hex_byte(const uint8_t at[2])
{
    int high = hex_value(at[0]), low = hex_value(at[1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Writes `byte` as two lower-case digits, without a NUL. */
static inline void hex_write(char out[2], uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    out[0] = digits[byte >> 4];
    out[1] = digits[byte & 15];
}

#endif
