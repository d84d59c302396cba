/* log: sentences for an operator: an event, then key=value; no payloads, no secrets.
 * Does not know: where lines go or what time it is (the sink does).
 * Thread: any, if the sink allows it; one call hands the sink one whole line.
 * Owner: the server; actors borrow it. */
#ifndef CHARLUA_BASE_LOG_H
#define CHARLUA_BASE_LOG_H

#include <stddef.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
    enum log_level level; /* lines above it are dropped */
    void (*sink)(void *ctx, enum log_level level, const char *line);
    void *ctx;
    void (*settle)(void *ctx); /* NULL, or says what the sink could not say before */
};

/* "error", "warn", "info" or "debug". */
const char *log_level_name(enum log_level level);

/* Formats and hands on one line (cut at 4,096 bytes). Control characters (U+0080 to
 * U+009F, U+2028 and U+2029 too) and bytes that are no UTF-8 become '?', and a line feed
 * is followed by a tab, so nothing that a client sent can forge a line. */
__attribute__((format(printf, 3, 4))) void
log_line(const struct log *log, enum log_level level, const char *format, ...);

/* To be called about once a second. */
static inline void log_settle(const struct log *log)
{
    if (log->settle)
        log->settle(log->ctx);
}

#define log_error(log, ...) log_line(log, LOG_ERROR, __VA_ARGS__)
#define log_warn(log, ...)  log_line(log, LOG_WARN, __VA_ARGS__)
#define log_info(log, ...)  log_line(log, LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_line(log, LOG_DEBUG, __VA_ARGS__)

#endif
