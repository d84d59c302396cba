/* id: a connection's id: shard, slot and generation in one number below 2^53.
 * Does not know: whether the connection is still there; a stale id names nobody.
 * Thread: any (values only).
 * Owner: nobody; the shard gives ids out and checks them. */
#ifndef CHARLUA_BASE_ID_H
#define CHARLUA_BASE_ID_H

#include <stdint.h>

enum {
    ID_SLOT_BITS = 21,
    ID_SHARD_BITS = 8,
    ID_GENERATION_BITS = 24, /* in the high bits, from 1 to 2^24 - 1 */
    ID_SHARDS_MAX = 1 << ID_SHARD_BITS,
    ID_SLOTS_MAX = 1 << ID_SLOT_BITS,
};

static inline uint64_t id_make(uint32_t shard, uint32_t slot, uint32_t generation)
{
    return (uint64_t)generation << (ID_SHARD_BITS + ID_SLOT_BITS) |
           (uint64_t)shard << ID_SLOT_BITS | slot;
}

static inline uint32_t id_slot(uint64_t id)
{
    return (uint32_t)id & (ID_SLOTS_MAX - 1);
}

static inline uint32_t id_shard(uint64_t id)
{
    return (uint32_t)(id >> ID_SLOT_BITS) & (ID_SHARDS_MAX - 1);
}

static inline uint32_t id_generation(uint64_t id)
{
    return (uint32_t)(id >> (ID_SLOT_BITS + ID_SHARD_BITS));
}

#endif
