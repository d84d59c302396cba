/* bundle: messages to a room that its members will get together, so that each is written
 * to once. Does not know: who is in the room; clocks: times are numbers.
 * Thread: its shard's.
 * Owner: the topic, which embeds it. */
#ifndef CHARLUA_ROOM_BUNDLE_H
#define CHARLUA_ROOM_BUNDLE_H

#include "base/buf.h"
#include "base/list.h"
#include "wire/outframe.h"

#include <stdint.h>

enum { BUNDLE_MESSAGES_MAX = 64, BUNDLE_BYTES_MAX = 32 * 1024 };

/* All bundles that hold messages. */
struct bundles {
    struct list open;
    size_t bytes;
};

struct bundle {
    struct list open;  /* in that list; alone: it holds none */
    struct buf parts;  /* struct outframe *, one reference each */
    size_t bytes;      /* of the messages */
    double not_before; /* when the room may be written to again, seconds */
};

void bundles_init(struct bundles *all);
void bundle_init(struct bundle *b);
void bundle_deinit(struct bundle *b, struct bundles *all);

static inline size_t bundle_count(const struct bundle *b)
{
    return b->parts.len / sizeof(struct outframe *);
}

/* The messages, in order. */
static inline struct outframe **bundle_parts(const struct bundle *b)
{
    return (struct outframe **)(void *)b->parts.at;
}

/* Whether a message of `len` bytes still goes in with those that are there. */
bool bundle_has_room(const struct bundle *b, size_t len, size_t bytes_max);

/* Appends `f`, taking its own reference. Returns 0, or -1 when memory is out (unchanged).
 */
int bundle_add(struct bundle *b, struct bundles *all, struct outframe *f);

/* Drops the messages. */
void bundle_clear(struct bundle *b, struct bundles *all);

#endif
