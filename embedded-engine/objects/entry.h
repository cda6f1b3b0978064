/* The authoritative table: one entry for each object, from reservation to release. */
#ifndef MCG_ENTRY_H
#define MCG_ENTRY_H

#include <stdbool.h>

#include "pool.h"

#define ENTRY_GENERATION_SHIFT (ENTRY_STATE_BITS + ENTRY_OWNER_BITS)

static inline enum entry_state entry_state_of(uint64_t word) {
  return (enum entry_state)(word & ((1u << ENTRY_STATE_BITS) - 1));
}

/* Always a valid slot: 0 if the word has an impossible owner. */
static inline uint32_t entry_owner_of(uint64_t word) {
  uint32_t owner = (uint32_t)(word >> ENTRY_STATE_BITS) & ((1u << ENTRY_OWNER_BITS) - 1);
  return pool_check(owner < CLIENT_SLOTS) ? owner : 0;
}

/* The word with another state and the same generation; entry_word_owned also sets the owner. */
static inline uint64_t entry_word_in(uint64_t word, enum entry_state state) {
  return (word & ~(uint64_t)((1u << ENTRY_STATE_BITS) - 1)) | state;
}

static inline uint64_t entry_word_owned(uint64_t word, enum entry_state state, uint32_t owner) {
  uint64_t generation = word >> ENTRY_GENERATION_SHIFT;
  return generation << ENTRY_GENERATION_SHIFT | (uint64_t)owner << ENTRY_STATE_BITS | state;
}

static inline struct entry *entry_at(uint32_t index) {
  return &pool.entries[index];
}

static inline uint32_t entry_index(const struct entry *entry) {
  return (uint32_t)(entry - pool.entries);
}

/* The number of chunks that have been assigned to shards. */
static inline uint32_t entry_chunks(void) {
  uint32_t chunks = atomic_load(&pool.header->chunk_count);
  return pool_check(chunks <= MAX_CHUNKS) ? chunks : 0;
}

/* The entry of a link (index + 1, not 0); NULL if no shard has this entry. */
static inline struct entry *entry_linked(uint32_t link) {
  return pool_check(link - 1 < entry_chunks() * CHUNK_ENTRIES) ? entry_at(link - 1) : NULL;
}

/* Always a valid shard: 0 if the chunk map has an impossible value. */
static inline uint32_t entry_shard(const struct entry *entry) {
  uint32_t shard = pool.chunk_shard[entry_index(entry) / CHUNK_ENTRIES] - 1u;
  return pool_check(shard < SHARDS) ? shard : 0;
}

/* Always a valid slot: 0 if the replica is impossible. */
static inline uint32_t replica_service(uint64_t replica) {
  uint64_t service = (replica & ~REPLICA_PRESENT) >> REPLICA_SERVICE_SHIFT;
  return pool_check((replica & REPLICA_PRESENT) != 0 && service < CLIENT_SLOTS)
             ? (uint32_t)service
             : 0;
}

static inline uint64_t replica_granule(uint64_t replica) {
  return replica & ((1ull << REPLICA_SERVICE_SHIFT) - 1);
}

static inline uint64_t replica_make(uint32_t service, uint64_t granule) {
  return REPLICA_PRESENT | (uint64_t)service << REPLICA_SERVICE_SHIFT | granule;
}

/* Correct for every size: adding before the division would overflow for very large ones. */
static inline uint64_t granules_of(uint64_t bytes) {
  return bytes == 0 ? 1 : bytes / GRANULE_BYTES + (bytes % GRANULE_BYTES != 0);
}

static inline uint64_t entry_granules(const struct entry *entry) {
  return granules_of(entry->size);
}

/* The services that hold a replica, as a mask. */
uint64_t entry_services(const struct entry *entry);

/* Calls `visit` for every entry of one shard, or of all shards (shard == SHARDS). */
void entry_visit(uint32_t shard, void (*visit)(struct entry *entry, void *context),
                 void *context);

/* Assigns another chunk of entries to a shard whose lock is held; false if there is no space. */
bool entry_add_chunk(uint32_t shard, int64_t *budget_ns);

/*
 * The most chunks that the pool may have: more than the allowed entries need, because keys are not
 * spread evenly over the shards.
 */
uint64_t entry_chunk_limit(void);

uint64_t clock_now_ns(void);

#endif
