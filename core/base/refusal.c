/* refusal: a scanner makes a thousand refusals a minute, and one page with a wrong
 * address one; an operator wants to hear of both, each once. */
#include "base/refusal.h"

#include "base/log.h"

enum { LINE_EVERY_MS = 60 * 1000 };

/* The place of `why`, which it gets if it has none. */
static struct refusal_count *place_of(struct refusals *r, const char *why)
{
    size_t i = 0;
    for (; i < REFUSAL_REASONS_MAX - 1; i++) {
        const char *is = NULL;
        if (atomic_compare_exchange_strong(&r->reasons[i].why, &is, why) || is == why)
            return &r->reasons[i];
    }
    atomic_store(&r->reasons[i].why, "other reasons");
    return &r->reasons[i];
}

static void tell(struct refusal_count *c, const struct log *log)
{
    uint64_t times = atomic_exchange(&c->untold, 0);
    if (times)
        log_info(log, "requests refused reason=\"%s\" times=%llu", atomic_load(&c->why),
                 (unsigned long long)times);
}

/* Of several threads within a minute, one logs. */
static bool is_due(struct refusal_count *c, uint64_t now_ms)
{
    uint64_t last = atomic_load(&c->logged_ms);
    return (!last || now_ms - last >= LINE_EVERY_MS) &&
           atomic_compare_exchange_strong(&c->logged_ms, &last, now_ms ? now_ms : 1);
}

void refusal_settle(struct refusals *r, uint64_t now_ms, const struct log *log)
{
    for (size_t i = 0; i < REFUSAL_REASONS_MAX; i++)
        if (atomic_load(&r->reasons[i].untold) && is_due(&r->reasons[i], now_ms))
            tell(&r->reasons[i], log);
}

void refusal_note(struct refusals *r, const char *why, uint64_t now_ms,
                  const struct log *log)
{
    struct refusal_count *c = place_of(r, why);
    atomic_fetch_add(&c->untold, 1);
    if (is_due(c, now_ms))
        tell(c, log);
}

/* FNV-1a of the lower-case text; never 0. */
static uint64_t hash_of(struct bytes name)
{
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        h = (h ^ (c >= 'A' && c <= 'Z' ? c | 0x20U : c)) * 1099511628211U;
    }
    return h ? h : 1;
}

bool refusal_is_new_name(struct refusals *r, struct bytes name)
{
    uint64_t hash = hash_of(name);
    for (size_t i = 0; i < REFUSAL_NAMES_MAX; i++) {
        uint64_t is = 0;
        if (atomic_compare_exchange_strong(&r->names[i], &is, hash))
            return true;
        if (is == hash)
            return false;
    }
    return false;
}
