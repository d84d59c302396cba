/* limit: one table says what an operator reads. What a client does to itself alone is
 * `info`; what an operator may have set too low, or is being attacked by, is `warn`; what
 * has a line of its own already is `debug`. */
#include "base/limit.h"

#include "base/log.h"

#include <stdbool.h>

enum { LINE_EVERY_MS = 1000 };

static const struct {
    const char *option, *sentence;
    enum log_level level;
} limits[LIMIT_KINDS] = {
    [LIMIT_CONNECTIONS] = {"max-connections", "connection turned away: too many in all",
                           LOG_WARN},
    [LIMIT_PER_ADDRESS] = {"max-per-address",
                           "connection turned away: too many of this address", LOG_WARN},
    [LIMIT_CONNECT_RATE] = {"max-connect-rate",
                            "connection turned away: too many a second of this address",
                            LOG_WARN},
    [LIMIT_RATE] = {"max-rate", "client sends too many messages a second", LOG_WARN},
    [LIMIT_BYTE_RATE] = {"max-byte-rate", "client sends too many bytes a second",
                         LOG_WARN},
    [LIMIT_MESSAGE] = {"max-message", "client closed for too large a message", LOG_INFO},
    [LIMIT_FRAGMENTS] = {"max-fragments",
                         "client closed for a message in too many fragments", LOG_INFO},
    [LIMIT_HEAD] = {"max-head", "request refused: its head is too large", LOG_INFO},
    [LIMIT_FIELDS] = {"max-fields", "request refused: its head has too many fields",
                      LOG_INFO},
    [LIMIT_BODY] = {"max-body", "request refused: its body is too large", LOG_INFO},
    [LIMIT_QUEUE] = {"max-queue", "client reads too slowly", LOG_WARN},
    [LIMIT_QUEUED] = {"max-queued", "clients together make the server keep too much",
                      LOG_WARN},
    [LIMIT_ROOMS] = {"max-rooms", "room refused: too many in all", LOG_WARN},
    [LIMIT_CLIENT_ROOMS] = {"max-client-rooms", "room refused: too many of this client",
                            LOG_INFO},
    [LIMIT_JSON_DEPTH] = {"max-json-depth", "message refused: nested too deeply",
                          LOG_INFO},
    [LIMIT_HEAD_TIME] = {"head-time", "request did not come in time", LOG_INFO},
    [LIMIT_ANSWER_TIME] = {"answer-time", "request given up: the script does not answer",
                           LOG_WARN},
    [LIMIT_PING_TIMEOUT] = {"ping-timeout", "client dropped: no sign of life", LOG_INFO},
    [LIMIT_CLOSE_TIME] = {"close-time", "client dropped: it did not answer a Close",
                          LOG_INFO},
    [LIMIT_HANDLER_TIME] = {"handler-time", "handler out of time", LOG_DEBUG},
    [LIMIT_SCRIPT_MEMORY] = {"script-memory", "script out of memory", LOG_DEBUG},
    [LIMIT_HTTP_MAX] = {"http-max", "answer of a service refused: too large", LOG_WARN},
};

const char *limit_option(enum limit which)
{
    return limits[which].option;
}

/* Of several threads within a second, one logs. */
static bool is_due(struct limit_count *c, uint64_t now_ms)
{
    uint64_t last = atomic_load_explicit(&c->logged_ms, memory_order_relaxed);
    if (last && now_ms < last + LINE_EVERY_MS)
        return false;
    return atomic_compare_exchange_strong(&c->logged_ms, &last, now_ms ? now_ms : 1);
}

/* Logs how often it was so far. */
static void tell(struct limit_count *c, enum limit which, const char *ip,
                 const struct log *log)
{
    uint64_t times = atomic_load_explicit(&c->times, memory_order_relaxed);
    atomic_store_explicit(&c->told, times, memory_order_relaxed);
    log_line(log, limits[which].level, "%s limit=--%s%s%s times=%llu",
             limits[which].sentence, limits[which].option, ip ? " ip=" : "", ip ? ip : "",
             (unsigned long long)times);
}

void limit_reached(struct limit_count *counts, enum limit which, const struct addr *who,
                   uint64_t now_ms, const struct log *log)
{
    char ip[ADDR_TEXT_MAX];
    struct limit_count *c = &counts[which];
    atomic_fetch_add_explicit(&c->times, 1, memory_order_relaxed);
    if (is_due(c, now_ms))
        tell(c, which, who ? addr_ip(who, ip) : NULL, log);
}

void limit_settle(struct limit_count *counts, uint64_t now_ms, const struct log *log)
{
    for (enum limit i = 0; i < LIMIT_KINDS; i++) {
        struct limit_count *c = &counts[i];
        uint64_t times = atomic_load_explicit(&c->times, memory_order_relaxed);
        if (times > atomic_load_explicit(&c->told, memory_order_relaxed) &&
            is_due(c, now_ms))
            tell(c, i, NULL, log);
    }
}
