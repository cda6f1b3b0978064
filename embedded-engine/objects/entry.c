/*
 * Shards get entries in small chunks of allocated memory, so that the table needs memory only for
 * its used part. A chunk stays with its shard, so rebuilding a shard needs only its own lock.
 */
#include "entry.h"

#include <fcntl.h>
#include <time.h>

#include "backing.h"
#include "lock.h"

uint64_t clock_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t entry_services(const struct entry *entry) {
  uint64_t mask = 0;
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    uint64_t replica = atomic_load_explicit(&entry->replicas[i], memory_order_acquire);
    if (replica != 0) mask |= service_bit(replica_service(replica));
  }
  return mask;
}

void entry_visit(uint32_t shard, void (*visit)(struct entry *entry, void *context),
                 void *context) {
  uint32_t chunks = entry_chunks();
  for (uint32_t chunk = 0; chunk < chunks; chunk++) {
    /* Without this check, a count that is too large would touch memory that was never allocated. */
    if (!pool_check(pool.chunk_shard[chunk] - 1u < SHARDS)) return;
    if (shard != SHARDS && pool.chunk_shard[chunk] != shard + 1) continue;
    struct entry *first = entry_at(chunk * CHUNK_ENTRIES);
    for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) visit(first + i, context);
  }
}

uint64_t entry_chunk_limit(void) {
  uint64_t chunks = pool_measure_use().total_entries / CHUNK_ENTRIES;
  uint64_t limit = chunks + chunks / 4 + SHARDS;
  return limit < MAX_CHUNKS ? limit : MAX_CHUNKS;
}

static bool add_chunk_locked(uint32_t shard) {
  uint32_t chunk = atomic_load(&pool.header->chunk_count);
  if (!pool_check(chunk <= MAX_CHUNKS) || chunk >= entry_chunk_limit()) return false;
  uint64_t offset = ENTRIES_OFFSET + chunk * CHUNK_BYTES;
  if (!backing_obtain(pool.descriptor, offset, CHUNK_BYTES)) return false;
  pool.chunk_shard[chunk] = (uint8_t)(shard + 1);
  atomic_store(&pool.header->chunk_count, chunk + 1);
  struct shard *owner = &pool.shards[shard];
  for (uint32_t i = 0; i < CHUNK_ENTRIES; i++) {
    struct entry *entry = entry_at(chunk * CHUNK_ENTRIES + i);
    entry->next = owner->free_head;
    owner->free_head = entry_index(entry) + 1;
  }
  return true;
}

/* An inherited lock needs no repair: chunk_count is increased after the chunk is assigned. */
bool entry_add_chunk(uint32_t shard, int64_t *budget_ns) {
  if (lock_acquire(&pool.header->chunk_lock, budget_ns) == LOCK_TIMED_OUT) return false;
  bool added = add_chunk_locked(shard);
  lock_release(&pool.header->chunk_lock);
  return added;
}
