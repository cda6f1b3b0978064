/* This process's view of the pool that it has joined; constant from join to leave. */
#ifndef MCG_POOL_H
#define MCG_POOL_H

#include <stdbool.h>

#include "layout.h"

struct pool {
  int descriptor;
  uint32_t self; /* our slot, and so our service id */
  uint64_t state; /* the state that this process last wrote to its slot */
  bool contributes;
  bool evicts_for_size; /* of this client's puts (settings.h) */
  struct hash_seed seed; /* that of the header when this process joined */
  char name[256];
  struct pool_header *header;
  uint8_t *chunk_shard; /* for each chunk, its shard + 1 */
  struct shard *shards;
  struct entry *entries;
};

extern struct pool pool;

static inline struct client *pool_client(uint32_t slot) {
  return &pool.header->clients[slot];
}

static inline struct client *pool_self(void) {
  return pool_client(pool.self);
}

static inline void pool_set_state(uint64_t word) {
  pool.state = word;
  atomic_store(&pool_self()->state, word);
}

/*
 * False after another program has overwritten the start of the header or the slot of this client.
 * The pool's content must not be trusted then. Every call reads these two cache lines anyway.
 */
static inline bool pool_is_intact(void) {
  const struct pool_header *header = pool.header;
  return atomic_load_explicit(&header->magic, memory_order_acquire) == POOL_MAGIC &&
         header->seed.words[0] == pool.seed.words[0] &&
         header->seed.words[1] == pool.seed.words[1] &&
         atomic_load_explicit(&pool_self()->state, memory_order_relaxed) == pool.state;
}

/* Destroys the magic: all clients leave the pool, and the next one that joins creates it again. */
void pool_condemn(void);

/*
 * Returns `holds`, and condemns the pool if it is false. Check every index, offset and size from
 * shared memory with it; otherwise a value that another program wrote leads out of the mapping. The
 * engine itself never writes a value outside the range.
 */
static inline bool pool_check(bool holds) {
  if (__builtin_expect(!holds, 0)) pool_condemn();
  return holds;
}

static inline uint32_t pool_slots(void) {
  uint32_t slots = atomic_load(&pool.header->slots_used);
  return pool_check(slots <= CLIENT_SLOTS) ? slots : CLIENT_SLOTS;
}

static inline uint32_t pool_pins_used(const struct client *client) {
  uint32_t pins = atomic_load(&client->pins_used);
  return pool_check(pins <= CALL_SLOTS) ? pins : CALL_SLOTS;
}

static inline enum client_state client_state_of(uint64_t word) {
  return (enum client_state)(word & 3);
}

static inline uint64_t pool_live_services(void) {
  return atomic_load(&pool.header->live_services);
}

static inline uint64_t service_bit(uint32_t slot) {
  return 1ull << slot;
}

/* Use and size of the pool, in bytes and in entries, over all live services. */
struct pool_use {
  uint64_t used_bytes;
  uint64_t total_bytes;
  uint64_t used_entries;
  uint64_t total_entries;
};

struct pool_use pool_measure_use(void);

/* The keys that are taken, over all shards: 64 cache lines. */
uint64_t pool_count_objects(void);

#endif
