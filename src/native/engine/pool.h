/* This process's view of the pool it has joined; fixed from joining to leaving. */
#ifndef MCG_POOL_H
#define MCG_POOL_H

#include <stdbool.h>

#include "layout.h"

struct pool {
  int descriptor;
  uint32_t self; /* our slot, and so our service id */
  uint64_t state; /* the word that we wrote last as the state of our slot */
  bool contributes;
  struct hash_seed seed; /* the header's, as it was when this process joined */
  char name[256];
  struct pool_header *header;
  uint8_t *chunk_shard; /* of each chunk, the shard it belongs to + 1 */
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
 * False once something outside the engine has overwritten the header's beginning or this client's
 * slot. What the pool says after that must not be believed. Every call reads these two cache lines
 * anyway.
 */
static inline bool pool_is_intact(void) {
  const struct pool_header *header = pool.header;
  return atomic_load_explicit(&header->magic, memory_order_acquire) == POOL_MAGIC &&
         header->seed.words[0] == pool.seed.words[0] &&
         header->seed.words[1] == pool.seed.words[1] &&
         atomic_load_explicit(&pool_self()->state, memory_order_relaxed) == pool.state;
}

/* Destroys the magic: all clients leave the pool, and the next one to join makes it anew. */
void pool_condemn(void);

/*
 * Answers whether `holds`, and condemns the pool if not. For every index, offset and size that is
 * read from shared memory: the engine writes no other value, so another program has overwritten it.
 * Without the check such a value would lead out of the mapping.
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

/* Used and available, over all live services: of bytes and of entries. */
struct pool_use {
  uint64_t used_bytes;
  uint64_t total_bytes;
  uint64_t used_entries;
  uint64_t total_entries;
};

struct pool_use pool_measure_use(void);

#endif
