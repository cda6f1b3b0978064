/* The part of the table that holds the keys of one hash range: lock, chains, free entries. */
#ifndef MCG_SHARD_H
#define MCG_SHARD_H

#include "entry.h"

static inline uint32_t shard_of(uint64_t hash) {
  return (uint32_t)(hash % SHARDS);
}

/* False after a timeout. Rebuilds the shard first if the last owner of the lock has died. */
bool shard_lock(uint32_t shard, int64_t *budget_ns);
void shard_unlock(uint32_t shard);

/* Call it before taking the lock, so that both cache misses overlap. */
void shard_prefetch(uint64_t hash);

/* All of these need the lock of the shard. They also return NULL if the pool is destroyed. */
struct entry *shard_find(uint32_t shard, uint64_t hash, const struct key *key);
void shard_link(uint32_t shard, struct entry *entry);
void shard_unlink(uint32_t shard, struct entry *entry);
struct entry *shard_take_free(uint32_t shard, int64_t *budget_ns);
void shard_give_free(uint32_t shard, struct entry *entry);

#endif
