/*
 * Only the client that changes the state from doomed to reclaiming releases the space; otherwise it
 * would be released twice. If a lock times out, the entry is doomed again and a later sweep releases
 * it: space may be released late, but is never lost.
 */
#include "reclaim.h"

#include "lock.h"
#include "pin.h"
#include "shard.h"
#include "space.h"

#define RECLAIM_BUDGET_NS 100000000ll

static bool give_back_space(struct entry *entry, int64_t *budget_ns) {
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    if (!space_give_back(entry, i, budget_ns)) return false;
  }
  return true;
}

static void leave_to_sweep(struct entry *entry) {
  atomic_store(&entry->state, entry_word_in(atomic_load(&entry->state), ENTRY_DOOMED));
  atomic_store(&pool.header->reap_requested, 1);
}

static bool claim(struct entry *entry) {
  uint64_t word = atomic_load(&entry->state);
  if (entry_state_of(word) != ENTRY_DOOMED || pin_is_set(entry)) return false;
  uint64_t claimed = entry_word_owned(word, ENTRY_RECLAIMING, pool.self);
  return atomic_compare_exchange_strong(&entry->state, &word, claimed);
}

void reclaim_doom(uint32_t shard, struct entry *entry) {
  uint64_t word = atomic_load(&entry->state);
  while (!atomic_compare_exchange_weak(&entry->state, &word, entry_word_in(word, ENTRY_DOOMED))) {
    continue;
  }
  shard_unlink(shard, entry);
}

void reclaim_own(struct entry *entry, int64_t *budget_ns) {
  uint32_t shard = entry_shard(entry);
  if (!give_back_space(entry, budget_ns) || !shard_lock(shard, budget_ns)) {
    leave_to_sweep(entry);
    return;
  }
  shard_give_free(shard, entry);
  shard_unlock(shard);
}

void reclaim_own_locked(uint32_t shard, struct entry *entry) {
  int64_t budget_ns = lock_budget(RECLAIM_BUDGET_NS);
  if (give_back_space(entry, &budget_ns)) {
    shard_give_free(shard, entry);
  } else {
    leave_to_sweep(entry);
  }
}

void reclaim_entry(struct entry *entry) {
  int64_t budget_ns = lock_budget(RECLAIM_BUDGET_NS);
  if (claim(entry)) reclaim_own(entry, &budget_ns);
}

void reclaim_entry_locked(uint32_t shard, struct entry *entry) {
  if (claim(entry)) reclaim_own_locked(shard, entry);
}
