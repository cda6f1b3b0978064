/*
 * A lookup holds the lock of the shard only while it finds the entry and, for a get, pins it. The
 * bytes are copied after the lock is released.
 */
#include <string.h>

#include "client.h"
#include "object.h"
#include "pin.h"
#include "reclaim.h"
#include "segment.h"
#include "shard.h"
#include "sweep.h"

struct found {
  uint32_t shard;
  struct entry *entry; /* NULL: no object has this key */
};

/* If it returns true, the shard is locked. */
static bool find(struct call *call, const struct key *key, struct found *found) {
  uint64_t hash = key_hash(&pool.seed, key);
  found->shard = shard_of(hash);
  shard_prefetch(hash);
  if (!shard_lock(found->shard, &call->wait_budget_ns)) return false;
  found->entry = sweep_find(found->shard, hash, key);
  return true;
}

static bool is_committed(const struct entry *entry) {
  return entry_state_of(atomic_load(&entry->state)) == ENTRY_COMMITTED;
}

static void refresh(struct entry *entry) {
  atomic_store_explicit(&entry->used_at_ns, clock_now_ns(), memory_order_relaxed);
}

/* Prefers the memory of this client, then the first live service. */
static uint64_t choose_replica(const struct entry *entry) {
  uint64_t live = pool_live_services();
  uint64_t chosen = 0;
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    uint64_t replica = atomic_load_explicit(&entry->replicas[i], memory_order_relaxed);
    if (replica == 0 || !(live & service_bit(replica_service(replica)))) continue;
    if (replica_service(replica) == pool.self) return replica;
    if (chosen == 0) chosen = replica;
  }
  return chosen;
}

static int32_t pin_replica(struct call *call, struct entry *entry, uint64_t size,
                           uint64_t *replica) {
  if (entry == NULL || !is_committed(entry) || entry->size != size) return MMC_ERROR;
  *replica = choose_replica(entry);
  if (*replica == 0) return MMC_ERROR;
  pin_set(call, entry, service_bit(replica_service(*replica)));
  refresh(entry);
  return MMC_OK;
}

int32_t object_get(struct call *call, const struct key *key, const mmc_buffer *destination) {
  if (destination->addr == 0 && destination->len > 0) return MMC_INVALID_PARAM;
  if (destination->type != MMC_MEDIUM_DRAM) return MMC_UNSUPPORTED_MEDIUM;
  if (!client_contributes()) return MMC_ERROR;
  struct found found;
  uint64_t replica;
  if (!find(call, key, &found)) return MCG_LOCK_TIMEOUT;
  int32_t code = pin_replica(call, found.entry, destination->len, &replica);
  shard_unlock(found.shard);
  if (code != MMC_OK) return code;
  const char *bytes = segment_address(replica, destination->len);
  if (bytes == NULL) {
    code = MMC_ERROR;
  } else if (destination->len > 0) {
    memcpy((void *)(uintptr_t)(destination->addr + destination->offset), bytes,
           destination->len);
  }
  pin_clear(call, found.entry);
  return code;
}

static void describe(const struct entry *entry, mmc_data_info *info) {
  info->size = entry->size;
  info->valid = true;
  uint64_t live = pool_live_services();
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    uint64_t replica = atomic_load_explicit(&entry->replicas[i], memory_order_relaxed);
    if (replica == 0 || !(live & service_bit(replica_service(replica)))) continue;
    info->ranks[info->numBlobs] = replica_service(replica);
    info->types[info->numBlobs] = MMC_MEDIUM_DRAM;
    info->numBlobs++;
  }
}

int32_t object_query(struct call *call, const struct key *key, mmc_data_info *info) {
  struct found found;
  memset(info, 0, sizeof *info);
  if (!find(call, key, &found)) return MCG_LOCK_TIMEOUT;
  if (found.entry != NULL) describe(found.entry, info);
  shard_unlock(found.shard);
  return MMC_OK;
}

int32_t object_exist(struct call *call, const struct key *key) {
  struct found found;
  if (!find(call, key, &found)) return MCG_LOCK_TIMEOUT;
  int32_t code = MMC_UNMATCHED_KEY;
  if (found.entry != NULL) {
    code = is_committed(found.entry) ? MMC_OK : MMC_OBJECT_NOT_EXISTS;
    if (code == MMC_OK) refresh(found.entry);
  }
  shard_unlock(found.shard);
  return code;
}

int32_t object_remove(struct call *call, const struct key *key) {
  struct found found;
  if (!find(call, key, &found)) return MCG_LOCK_TIMEOUT;
  if (found.entry != NULL) reclaim_doom(found.shard, found.entry);
  shard_unlock(found.shard);
  if (found.entry == NULL) return MMC_UNMATCHED_KEY;
  reclaim_entry(found.entry);
  return MMC_OK;
}
