/* Use and size of the pool, for eviction and for the limit of the entry table. */
#include "pool.h"

#include <unistd.h>

#include "log.h"

struct pool pool = {.descriptor = -1};

/* Writes through the descriptor: the page of a truncated file would raise SIGBUS. */
void pool_condemn(void) {
  uint64_t none = 0;
  ssize_t written = pwrite(pool.descriptor, &none, sizeof none,
                           (off_t)offsetof(struct pool_header, magic));
  log_debug("the pool %s is destroyed%s", pool.name, written < 0 ? "; its magic could not be cleared" : "");
}

static uint64_t entry_limit(uint64_t bytes) {
  uint64_t limit = bytes / BYTES_PER_ENTRY_LIMIT;
  return limit > MIN_ENTRY_LIMIT ? limit : MIN_ENTRY_LIMIT;
}

uint64_t pool_count_objects(void) {
  uint64_t count = 0;
  for (uint32_t shard = 0; shard < SHARDS; shard++) {
    count += atomic_load_explicit(&pool.shards[shard].count, memory_order_relaxed);
  }
  return count;
}

/* The sum over all shards is expensive, so it is 0 until enough chunks are in use to matter. */
static uint64_t count_entries(uint64_t limit) {
  uint64_t handed_out = (uint64_t)atomic_load(&pool.header->chunk_count) * CHUNK_ENTRIES;
  return handed_out < limit / 4 * 3 ? 0 : pool_count_objects();
}

struct pool_use pool_measure_use(void) {
  struct pool_use use = {0, 0, 0, 0};
  for (uint64_t live = pool_live_services(); live != 0; live &= live - 1) {
    struct segment *segment = &pool_client((uint32_t)__builtin_ctzll(live))->segment;
    use.used_bytes += atomic_load_explicit(&segment->used_granules, memory_order_relaxed) *
                      GRANULE_BYTES;
    use.total_bytes += segment->bytes;
    use.total_entries += entry_limit(segment->bytes);
  }
  if (use.total_entries > (uint64_t)MAX_CHUNKS * CHUNK_ENTRIES) {
    use.total_entries = (uint64_t)MAX_CHUNKS * CHUNK_ENTRIES;
  }
  use.used_entries = count_entries(use.total_entries);
  return use;
}
