/* log: formatting and the defusing of control characters. */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum { LINE_MAX_BYTES = 4096 };

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    return names[level];
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
    size_t n = 0;
    for (const char *c = raw; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        line[n++] =
            byte == '\n' || byte == '\t' || (byte >= 32 && byte != 127) ? *c : '?';
        if (byte == '\n')
            line[n++] = '\t';
    }
    line[n] = 0;
    log->sink(log->ctx, level, line);
}
