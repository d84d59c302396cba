/* log: formatting and the defusing of control characters. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096 };

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    return names[level];
}

/* Bytes of the character at `at` if it is a whole one in UTF-8, else 0. */
static size_t utf8_length(const unsigned char *at)
{
    unsigned char lead = at[0], next = lead ? at[1] : 0;
    size_t len = lead < 0x80                    ? 1
                 : lead >= 0xC2 && lead <= 0xDF ? 2
                 : lead >= 0xE0 && lead <= 0xEF ? 3
                 : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                : 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xC0) != 0x80) /* the final NUL is none either */
            return 0;
    bool overlong = (lead == 0xE0 && next < 0xA0) || (lead == 0xF0 && next < 0x90);
    bool beyond = (lead == 0xED && next > 0x9F) || (lead == 0xF4 && next > 0x8F);
    return overlong || beyond ? 0 : len;
}

/* Whether a terminal, or a reader of lines, would do something for the character: the
 * controls below U+0020 (but for tab and line feed), U+007F to U+009F, U+2028, U+2029. */
static bool is_control(const unsigned char *at, size_t len)
{
    if (len == 1)
        return (at[0] < 0x20 && at[0] != '\n' && at[0] != '\t') || at[0] == 0x7F;
    if (len == 2)
        return at[0] == 0xC2 && at[1] < 0xA0;
    return len == 3 && at[0] == 0xE2 && at[1] == 0x80 && (at[2] == 0xA8 || at[2] == 0xA9);
}

/* Writes `raw` to `line`, which has room for twice as much. */
static void defuse(const char *raw, char *line)
{
    const unsigned char *at = (const unsigned char *)raw;
    while (*at) {
        size_t len = utf8_length(at);
        if (len == 0 || is_control(at, len))
            *line++ = '?';
        else
            memcpy(line, at, len), line += len;
        if (*at == '\n')
            *line++ = '\t';
        at += len ? len : 1;
    }
    *line = 0;
}

void log_line(const struct log *log, enum log_level level, const char *format, ...)
{
    if (!log->sink || level > log->level)
        return;
    char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES * 2];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    defuse(raw, line);
    log->sink(log->ctx, level, line);
}
