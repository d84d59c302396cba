/* name_key: by Unicode's tables, which libunistring has.
 *
 * Two names are the same if people can't tell them apart by case, by composition or by
 * what shows nothing: "Ana", "ANA", "A<U+200D>na", "Ａｎａ" and "Ana<U+00A0>". The
 * standard's toNFKC_Casefold (3.13, R5) is nearly that: it folds case and compatibility
 * and drops what is Default_Ignorable. It keeps white space and control characters, and a
 * few that are letters or symbols by their class and blanks to the eye. Those are
 * dropped, too.
 *
 * One pass is not enough: what is dropped may have kept a letter from its accent, and
 * what is composed then may fold again (U+0345 alone becomes iota). So fold, drop, fold
 * until nothing changes; two or three passes do in all of Unicode, and each is within the
 * first one's length. What looks alike across scripts (Cyrillic "а") stays different: to
 * join those is UTS 39's skeleton, which also joins what honest people tell apart ("rn"
 * and "m"). */
#include "script/name_key.h"

#include "wire/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>
#include <unictype.h>

enum { PASSES_MAX = 8 };

/* Blank to the eye: BRAILLE PATTERN BLANK, MUSICAL SYMBOL NULL NOTEHEAD. The HANGUL
 * FILLERs are Default_Ignorable, as are tags. */
static bool is_blank(ucs4_t c)
{
    return c == 0x2800 || c == 0x1D159;
}

/* Format characters that show: signs which stand around the number that follows them. */
static bool is_shown_format(ucs4_t c)
{
    return (c >= 0x600 && c <= 0x605) || c == 0x6DD || c == 0x70F || c == 0x890 ||
           c == 0x891 || c == 0x8E2 || c == 0x110BD || c == 0x110CD;
}

static bool is_dropped(ucs4_t c)
{
    return is_blank(c) || uc_is_property(c, UC_PROPERTY_WHITE_SPACE) ||
           uc_is_property(c, UC_PROPERTY_DEFAULT_IGNORABLE_CODE_POINT) ||
           uc_is_general_category(c, UC_CATEGORY_Z) ||
           uc_is_general_category(c, UC_CATEGORY_Cc) ||
           (uc_is_general_category(c, UC_CATEGORY_Cf) && !is_shown_format(c));
}

/* Whether there is something to see: a mark needs a letter to stand on. */
static bool has_visible(const uint32_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!uc_is_general_category(text[i], UC_CATEGORY_M))
            return true;
    return false;
}

/* One pass over *text, which is replaced. Returns 0, or -1 when memory is out. */
static int fold(uint32_t **text, size_t *len)
{
    size_t n = 0, kept = 0;
    uint32_t *folded = u32_casefold(*text, *len, NULL, UNINORM_NFKD, NULL, &n);
    if (!folded)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!is_dropped(folded[i]))
            folded[kept++] = folded[i];
    uint32_t *composed = u32_normalize(UNINORM_NFKC, folded, kept, NULL, &n);
    free(folded);
    if (!composed)
        return -1;
    free(*text);
    *text = composed;
    *len = n;
    return 0;
}

/* Folds until nothing changes. Returns 0, or -1 when memory is out. */
static int fold_all(uint32_t **text, size_t *len)
{
    for (int pass = 0; pass < PASSES_MAX; pass++) {
        size_t before_len = *len;
        uint32_t *before = u32_cpy_alloc(*text, *len);
        if (!before || fold(text, len) < 0) {
            free(before);
            return -1;
        }
        bool same = before_len == *len && u32_cmp(before, *text, *len) == 0;
        free(before);
        if (same)
            break;
    }
    return 0;
}

static int append(const uint32_t *text, size_t len, struct buf *out)
{
    size_t n = 0;
    uint8_t *bytes = u32_to_u8(text, len, NULL, &n);
    int result = bytes ? buf_append(out, (struct bytes){bytes, n}) : -1;
    free(bytes);
    return result;
}

/* Most names: what is said above, of ASCII alone. Returns false when `name` is not. */
static bool fold_ascii(struct bytes name, uint8_t *to, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        if (c >= 0x80)
            return false;
        if (c > ' ' && c != 0x7F)
            to[(*len)++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
    }
    return true;
}

enum name_key name_key(struct bytes name, struct buf *out)
{
    uint8_t ascii[NAME_KEY_MAX];
    size_t len = 0;
    if (name.len > NAME_KEY_MAX)
        return NAME_KEY_TOO_LONG;
    if (fold_ascii(name, ascii, &len)) {
        if (len == 0)
            return NAME_KEY_INVISIBLE;
        return buf_append(out, (struct bytes){ascii, len}) < 0 ? NAME_KEY_NO_MEMORY
                                                               : NAME_KEY_OK;
    }
    if (!utf8_is_valid(name))
        return NAME_KEY_MALFORMED;
    enum name_key result = NAME_KEY_NO_MEMORY;
    uint32_t *text = u8_to_u32(name.at, name.len, NULL, &len);
    if (text && fold_all(&text, &len) == 0) {
        if (!has_visible(text, len))
            result = NAME_KEY_INVISIBLE;
        else if (append(text, len, out) == 0)
            result = NAME_KEY_OK;
    }
    free(text);
    return result;
}
