/*
 * A put moves its entry through the states reserved (space is allocated first, as in the distributed
 * engine), writing (the key is taken) and committed. It copies the bytes without holding a lock. If
 * a writer dies, the entry names it as the owner, so the sweep can release everything.
 */
#include <string.h>

#include "client.h"
#include "evict.h"
#include "object.h"
#include "pin.h"
#include "placement.h"
#include "reclaim.h"
#include "segment.h"
#include "shard.h"
#include "sweep.h"

#define EVICTION_TRIES 3
/* Each pass of an eviction by size evicts twice as much: fragments may lie between the objects. */
#define SIZE_PASSES 5

static int32_t reserve(struct call *call, uint32_t shard, struct entry **reserved) {
  if (!shard_lock(shard, &call->wait_budget_ns)) return MCG_LOCK_TIMEOUT;
  *reserved = shard_take_free(shard, &call->wait_budget_ns);
  shard_unlock(shard);
  if (*reserved != NULL) return MMC_OK;
  return call->wait_budget_ns == 0 ? MCG_LOCK_TIMEOUT : MMC_ERROR;
}

static int32_t reserve_with_space(struct call *call, uint32_t shard, uint64_t size,
                                  const struct placement *placement, struct entry **reserved) {
  int32_t code = reserve(call, shard, reserved);
  if (code != MMC_OK) return code;
  struct entry *entry = *reserved;
  pin_set(call, entry, 0);
  entry->size = size;
  code = placement_take(call, entry, placement);
  if (code == MMC_OK) return MMC_OK;
  reclaim_own(entry, &call->wait_budget_ns);
  pin_clear(call, entry);
  return code;
}

/* Eviction runs in the background. Only a put without space waits for it. */
static int32_t find_room(struct call *call, uint32_t shard, uint64_t size,
                         const struct placement *placement, struct entry **reserved) {
  bool crowded = evict_is_due();
  if (crowded) evict_request();
  int32_t code = reserve_with_space(call, shard, size, placement, reserved);
  bool evicted = crowded;
  for (int tries = 0; evicted && code == MMC_ERROR && tries < EVICTION_TRIES; tries++) {
    evicted = evict_now(&call->wait_budget_ns);
    code = reserve_with_space(call, shard, size, placement, reserved);
  }
  /* Another client is evicting and this thread must not wait: there may be space later. */
  bool gave_up = crowded && !evicted && call->wait_budget_ns == 0;
  return gave_up && code == MMC_ERROR ? MCG_LOCK_TIMEOUT : code;
}

/* MMC_OK if no object has the key, MMC_ERROR as from find_room if one has. */
static int32_t require_absent(struct call *call, uint32_t shard, uint64_t hash,
                              const struct key *key) {
  if (!shard_lock(shard, &call->wait_budget_ns)) return MCG_LOCK_TIMEOUT;
  bool taken = sweep_find(shard, hash, key) != NULL;
  shard_unlock(shard);
  return taken ? MMC_ERROR : MMC_OK;
}

/* Evicts the least recently used objects until there is space for an object that the pool can hold. */
static int32_t make_room(struct call *call, uint32_t shard, uint64_t size,
                         const struct placement *placement, struct entry **reserved) {
  uint64_t services = placement_candidates(placement, size);
  int32_t code = MMC_ERROR;
  for (unsigned pass = 0; services != 0 && code == MMC_ERROR && pass < SIZE_PASSES; pass++) {
    if (!evict_for(granules_of(size) * placement->replicas << pass, services,
                   &call->wait_budget_ns)) {
      break;
    }
    code = reserve_with_space(call, shard, size, placement, reserved);
  }
  return code == MMC_ERROR && call->wait_budget_ns == 0 ? MCG_LOCK_TIMEOUT : code;
}

/* Takes the key. Fails if a service with a replica has died since the allocation. */
static int32_t link_entry(struct call *call, uint32_t shard, struct entry *entry,
                          const struct key *key) {
  if (!shard_lock(shard, &call->wait_budget_ns)) return MCG_LOCK_TIMEOUT;
  int32_t code = MMC_OK;
  struct entry *present = sweep_find(shard, entry->hash, key);
  if (present != NULL) {
    code = MMC_DUPLICATED_OBJECT;
  } else if (entry_services(entry) & ~pool_live_services()) {
    code = MMC_ERROR;
  } else {
    uint64_t word = atomic_load(&entry->state);
    atomic_store(&entry->state, entry_word_in(word, ENTRY_WRITING));
    shard_link(shard, entry);
  }
  shard_unlock(shard);
  return code;
}

static bool resolve(const struct entry *entry, uint32_t replicas, uint64_t bytes,
                    char **addresses) {
  for (uint32_t i = 0; i < replicas; i++) {
    addresses[i] = segment_address(atomic_load(&entry->replicas[i]), bytes);
    if (addresses[i] == NULL) return false;
  }
  return true;
}

/*
 * The object may have been removed while its bytes were copied. The put has still succeeded, unless
 * every owner of its memory has died.
 */
static int32_t commit(struct entry *entry, uint64_t services) {
  atomic_store_explicit(&entry->used_at_ns, clock_now_ns(), memory_order_relaxed);
  uint64_t word = atomic_load(&entry->state);
  while (entry_state_of(word) == ENTRY_WRITING) {
    uint64_t committed = entry_word_in(word, ENTRY_COMMITTED);
    if (atomic_compare_exchange_weak(&entry->state, &word, committed)) return MMC_OK;
  }
  return services & pool_live_services() ? MMC_OK : MMC_ERROR;
}

static int32_t fill(struct call *call, uint32_t shard, struct entry *entry,
                    const struct key *key, const mmc_buffer *source, uint32_t replicas) {
  char *addresses[MMC_MAX_REPLICAS];
  uint64_t services = entry_services(entry);
  int32_t code = resolve(entry, replicas, source->len, addresses)
                     ? link_entry(call, shard, entry, key)
                     : MMC_ERROR;
  if (code != MMC_OK) {
    reclaim_own(entry, &call->wait_budget_ns);
    return code;
  }
  const void *bytes = (const void *)(uintptr_t)(source->addr + source->offset);
  for (uint32_t i = 0; i < replicas && source->len > 0; i++) {
    memcpy(addresses[i], bytes, source->len);
  }
  return commit(entry, services);
}

int32_t object_put(struct call *call, const struct key *key, const mmc_buffer *source,
                   const mmc_put_options *options) {
  if (source->addr == 0 && source->len > 0) return MMC_INVALID_PARAM;
  if (source->type != MMC_MEDIUM_DRAM) return MMC_UNSUPPORTED_MEDIUM;
  struct placement placement;
  if (!client_contributes() || placement_read(options, &placement) != MMC_OK) return MMC_ERROR;
  uint64_t hash = key_hash(&pool.seed, key);
  uint32_t shard = shard_of(hash);
  struct entry *entry;
  int32_t code = find_room(call, shard, source->len, &placement, &entry);
  if (code == MMC_ERROR && pool.evicts_for_size) {
    code = require_absent(call, shard, hash, key);
    if (code == MMC_OK) code = make_room(call, shard, source->len, &placement, &entry);
  }
  if (code != MMC_OK) return code;
  entry->hash = hash;
  entry->key_length = key->length;
  memcpy(entry->key, key->bytes, key->length);
  code = fill(call, shard, entry, key, source, placement.replicas);
  pin_clear(call, entry);
  return code;
}
