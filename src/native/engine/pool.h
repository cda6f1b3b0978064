/* This process's view of the pool it has joined; fixed from joining to leaving. */
#ifndef MCG_POOL_H
#define MCG_POOL_H

#include <stdbool.h>

#include "layout.h"

struct pool {
  int descriptor;
  uint32_t self; /* our slot, and so our service id */
  bool contributes;
  struct hash_seed seed; /* the header's, as it was when this process joined */
  char name[256];
  struct pool_header *header;
  uint8_t *chunk_shard; /* of each chunk, the shard it belongs to + 1 */
  struct shard *shards;
  struct entry *entries;
};

extern struct pool pool;

/*
 * False once something outside the engine has overwritten the header's beginning. What the pool
 * says after that must not be believed. The magic and the seed share a cache line, which every
 * call reads anyway.
 */
static inline bool pool_is_intact(void) {
  const struct pool_header *header = pool.header;
  return atomic_load_explicit(&header->magic, memory_order_acquire) == POOL_MAGIC &&
         header->seed.words[0] == pool.seed.words[0] &&
         header->seed.words[1] == pool.seed.words[1];
}

static inline struct client *pool_client(uint32_t slot) {
  return &pool.header->clients[slot];
}

static inline struct client *pool_self(void) {
  return pool_client(pool.self);
}

static inline uint32_t pool_slots(void) {
  return atomic_load(&pool.header->slots_used);
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

/* Used and available, over all live services: of bytes and of entries. */
struct pool_use {
  uint64_t used_bytes;
  uint64_t total_bytes;
  uint64_t used_entries;
  uint64_t total_entries;
};

struct pool_use pool_measure_use(void);

#endif
