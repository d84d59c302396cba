/* utf8: the grammar of RFC 3629 4 as a table of what may follow each kind of lead byte.
 */
#include "wire/utf8.h"

enum { TAIL_1 = 2, TAIL_2, TAIL_3, AFTER_E0, AFTER_ED, AFTER_F0, AFTER_F4 };

struct tail {
    uint8_t low, high, next;
};

static const struct tail tails[] = {
    [TAIL_1] = {0x80, 0xBF, UTF8_ACCEPT}, [TAIL_2] = {0x80, 0xBF, TAIL_1},
    [TAIL_3] = {0x80, 0xBF, TAIL_2},      [AFTER_E0] = {0xA0, 0xBF, TAIL_1},
    [AFTER_ED] = {0x80, 0x9F, TAIL_1},    [AFTER_F0] = {0x90, 0xBF, TAIL_2},
    [AFTER_F4] = {0x80, 0x8F, TAIL_2},
};

static uint8_t lead(uint8_t byte)
{
    if (byte < 0x80)
        return UTF8_ACCEPT;
    if (byte < 0xC2)
        return UTF8_REJECT;
    if (byte < 0xE0)
        return TAIL_1;
    if (byte < 0xF0)
        return byte == 0xE0 ? AFTER_E0 : byte == 0xED ? AFTER_ED : TAIL_2;
    if (byte < 0xF5)
        return byte == 0xF0 ? AFTER_F0 : byte == 0xF4 ? AFTER_F4 : TAIL_3;
    return UTF8_REJECT;
}

/* The length of the run of ASCII that opens `in`, in whole words. */
static size_t ascii_words(struct bytes in)
{
    size_t n = 0;
    for (; in.len - n >= 8; n += 8) {
        uint64_t word;
        memcpy(&word, in.at + n, 8);
        if (word & 0x8080808080808080U)
            break;
    }
    return n;
}

uint8_t utf8_feed(uint8_t state, struct bytes in)
{
    size_t i = 0;
    while (i < in.len && state != UTF8_REJECT) {
        uint8_t byte = in.at[i];
        if (state != UTF8_ACCEPT) {
            const struct tail *t = &tails[state];
            state = byte < t->low || byte > t->high ? UTF8_REJECT : t->next;
            i++;
        } else if (byte < 0x80) {
            size_t words = ascii_words(bytes_skip(in, i));
            i += words ? words : 1;
        } else {
            state = lead(byte);
            i++;
        }
    }
    return state;
}

bool utf8_is_valid(struct bytes text)
{
    return utf8_feed(UTF8_ACCEPT, text) == UTF8_ACCEPT;
}
