/*
 * The chains and the free list of a shard are only an index. Whether an entry is in a chain follows
 * from its state, so every change writes the state first. After the death of an owner, both are
 * rebuilt from the states, in about a millisecond for a full shard.
 */
#include "shard.h"

#include <string.h>

#include "lock.h"
#include "log.h"
#include "stop_point.h"

static inline uint32_t *bucket_of(uint32_t shard, uint64_t hash) {
  return &pool.shards[shard].buckets[(hash / SHARDS) % SHARD_BUCKETS];
}

static inline bool is_linked(enum entry_state state) {
  return state == ENTRY_WRITING || state == ENTRY_COMMITTED;
}

static void add_to_chain(struct shard *shard, uint32_t *bucket, struct entry *entry) {
  entry->next = *bucket;
  *bucket = entry_index(entry) + 1;
  atomic_fetch_add_explicit(&shard->count, 1, memory_order_relaxed);
}

static void index_entry(struct entry *entry, void *context) {
  struct shard *shard = context;
  enum entry_state state = entry_state_of(atomic_load(&entry->state));
  if (state == ENTRY_FREE) {
    entry->next = shard->free_head;
    shard->free_head = entry_index(entry) + 1;
  } else if (is_linked(state)) {
    add_to_chain(shard, bucket_of((uint32_t)(shard - pool.shards), entry->hash), entry);
  }
}

static void rebuild(uint32_t index) {
  struct shard *shard = &pool.shards[index];
  memset(shard->buckets, 0, sizeof shard->buckets);
  shard->free_head = 0;
  atomic_store(&shard->count, 0);
  entry_visit(index, index_entry, shard);
  log_debug("rebuilt shard %u after the owner of its lock died", index);
}

bool shard_lock(uint32_t shard, int64_t *budget_ns) {
  enum lock_result result = lock_acquire(&pool.shards[shard].lock, budget_ns);
  if (result == LOCK_TIMED_OUT) return false;
  if (result == LOCK_INHERITED) rebuild(shard);
  stop_point();
  return true;
}

void shard_unlock(uint32_t shard) {
  lock_release(&pool.shards[shard].lock);
}

void shard_prefetch(uint64_t hash) {
  __builtin_prefetch(bucket_of(shard_of(hash), hash));
}

/* The next entry of a chain; NULL if the link does not lead to an entry of this chain. */
static struct entry *follow(const uint32_t *bucket, uint32_t link) {
  struct entry *entry = entry_linked(link);
  if (entry == NULL) return NULL;
  return pool_check(bucket_of(shard_of(entry->hash), entry->hash) == bucket) ? entry : NULL;
}

/* A chain that is longer than the table is circular. */
static inline uint32_t longest_chain(void) {
  return entry_chunks() * CHUNK_ENTRIES;
}

/* Whether an entry in a chain has a valid state and size. */
static bool is_possible(const struct entry *entry) {
  return is_linked(entry_state_of(atomic_load(&entry->state))) &&
         entry->size <= MAX_SEGMENT_BYTES;
}

struct entry *shard_find(uint32_t shard, uint64_t hash, const struct key *key) {
  const uint32_t *bucket = bucket_of(shard, hash);
  uint32_t left = longest_chain();
  for (uint32_t link = *bucket; link != 0; left--) {
    struct entry *entry = follow(bucket, link);
    if (entry == NULL || !pool_check(left > 0 && is_possible(entry))) return NULL;
    __builtin_prefetch(entry->key);
    if (entry->hash == hash && entry->key_length == key->length &&
        memcmp(entry->key, key->bytes, key->length) == 0) {
      return entry;
    }
    link = entry->next;
  }
  return NULL;
}

void shard_link(uint32_t shard, struct entry *entry) {
  add_to_chain(&pool.shards[shard], bucket_of(shard, entry->hash), entry);
}

void shard_unlink(uint32_t shard, struct entry *entry) {
  uint32_t *bucket = bucket_of(shard, entry->hash);
  uint32_t *link = bucket;
  for (uint32_t left = longest_chain(); *link != entry_index(entry) + 1; left--) {
    if (*link == 0) return;
    struct entry *other = follow(bucket, *link);
    if (other == NULL || !pool_check(left > 0)) return;
    link = &other->next;
  }
  *link = entry->next;
  atomic_fetch_sub_explicit(&pool.shards[shard].count, 1, memory_order_relaxed);
}

static bool is_unused(uint32_t shard, const struct entry *entry) {
  return entry_state_of(atomic_load(&entry->state)) == ENTRY_FREE &&
         entry_services(entry) == 0 && entry_shard(entry) == shard;
}

struct entry *shard_take_free(uint32_t shard, int64_t *budget_ns) {
  struct shard *owner = &pool.shards[shard];
  if (owner->free_head == 0 && !entry_add_chunk(shard, budget_ns)) return NULL;
  struct entry *entry = entry_linked(owner->free_head);
  if (entry == NULL || !pool_check(is_unused(shard, entry))) return NULL;
  owner->free_head = entry->next;
  uint64_t generation = (atomic_load(&entry->state) >> ENTRY_GENERATION_SHIFT) + 1;
  uint64_t word = entry_word_owned(generation << ENTRY_GENERATION_SHIFT, ENTRY_RESERVED, pool.self);
  atomic_store(&entry->state, word);
  return entry;
}

void shard_give_free(uint32_t shard, struct entry *entry) {
  struct shard *owner = &pool.shards[shard];
  atomic_store(&entry->state, entry_word_in(atomic_load(&entry->state), ENTRY_FREE));
  entry->next = owner->free_head;
  owner->free_head = entry_index(entry) + 1;
}
