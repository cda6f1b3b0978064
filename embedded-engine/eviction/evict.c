/*
 * As in the distributed engine, above 90 % use the least recently used objects are evicted, by count
 * and not by size: (use − 80) of 90 parts of all objects. There is no list in order of use, because
 * every get would have to change it under a common lock. A get only writes the time into its entry.
 * Eviction walks all entries instead, once for a ninth of them.
 *
 * A put that does not fit below 90 % evicts by size (evict_for), so that the pool works as a cache
 * for objects of any size; the distributed engine refuses such a put.
 */
#include "evict.h"

#include <stdlib.h>

#include "lock.h"
#include "log.h"
#include "pin.h"
#include "reclaim.h"
#include "shard.h"
#include "watch.h"

#define HIGH_PERCENT 90u
#define LOW_PERCENT 80u

struct candidate {
  uint64_t used_at_ns;
  uint64_t word; /* the state of the entry when it was collected */
  uint32_t index;
};

struct candidates {
  struct candidate *list;
  size_t count;
  size_t room;
};

static double percent(uint64_t used, uint64_t total) {
  if (used >= total) return total == 0 ? 0 : 100; /* used > total only if the sums were destroyed */
  return 100.0 * (double)used / (double)total;
}

static double percent_used(void) {
  struct pool_use use = pool_measure_use();
  double bytes = percent(use.used_bytes, use.total_bytes);
  double entries = percent(use.used_entries, use.total_entries);
  return bytes > entries ? bytes : entries;
}

bool evict_is_due(void) {
  return percent_used() > HIGH_PERCENT;
}

void evict_request(void) {
  watch_wake_to_evict();
}

static void collect(struct entry *entry, void *context) {
  struct candidates *candidates = context;
  uint64_t word = atomic_load_explicit(&entry->state, memory_order_relaxed);
  if (entry_state_of(word) != ENTRY_COMMITTED || candidates->count == candidates->room) return;
  candidates->list[candidates->count++] = (struct candidate){
      atomic_load_explicit(&entry->used_at_ns, memory_order_relaxed), word, entry_index(entry)};
}

static void swap(struct candidate *left, struct candidate *right) {
  struct candidate kept = *left;
  *left = *right;
  *right = kept;
}

/*
 * Partitions list[low … high] around a pivot and returns a border: candidates up to it are at least
 * as old as those after it.
 */
static size_t part(struct candidate *list, size_t low, size_t high) {
  uint64_t pivot = list[low + (high - low) / 2].used_at_ns;
  size_t left = low;
  size_t right = high;
  for (;;) {
    while (list[left].used_at_ns < pivot) left++;
    while (list[right].used_at_ns > pivot) right--;
    if (left >= right) return right;
    swap(&list[left++], &list[right--]);
  }
}

/* Moves the `share` oldest candidates to the front, unsorted. */
static void select_oldest(struct candidates *candidates, size_t share) {
  size_t low = 0;
  size_t high = candidates->count == 0 ? 0 : candidates->count - 1;
  while (low < high) {
    size_t border = part(candidates->list, low, high);
    if (border + 1 == share) return;
    if (border + 1 > share) {
      high = border;
    } else {
      low = border + 1;
    }
  }
}

/* Keeps an object that was used or replaced since it was collected. */
static bool evict_one(const struct candidate *candidate, int64_t *budget_ns) {
  struct entry *entry = entry_at(candidate->index);
  uint32_t shard = entry_shard(entry);
  if (!shard_lock(shard, budget_ns)) return false;
  bool unchanged = atomic_load(&entry->state) == candidate->word &&
                   atomic_load(&entry->used_at_ns) == candidate->used_at_ns;
  if (unchanged) reclaim_doom(shard, entry);
  shard_unlock(shard);
  if (!unchanged) return false;
  atomic_fetch_add_explicit(&pool.header->evictions, 1, memory_order_relaxed);
  reclaim_entry(entry);
  return true;
}

/* False without memory for the list, which the caller frees. */
static bool collect_all(struct candidates *candidates) {
  candidates->count = 0;
  candidates->room = (size_t)entry_chunks() * CHUNK_ENTRIES;
  candidates->list = malloc(candidates->room * sizeof *candidates->list + 1);
  if (candidates->list == NULL) return false;
  entry_visit(SHARDS, collect, candidates);
  return true;
}

static bool evict_share(double used_percent, int64_t *budget_ns) {
  struct candidates candidates;
  if (!collect_all(&candidates)) return false;
  size_t share = (size_t)((double)candidates.count * (used_percent - LOW_PERCENT) / HIGH_PERCENT);
  if (share == 0 && candidates.count > 0) share = 1;
  select_oldest(&candidates, share);
  for (size_t i = 0; i < share; i++) evict_one(&candidates.list[i], budget_ns);
  log_debug("evicted %zu of %zu objects at %.1f %% use", share, candidates.count, used_percent);
  free(candidates.list);
  return share > 0;
}

static int by_age(const void *left, const void *right) {
  uint64_t a = ((const struct candidate *)left)->used_at_ns;
  uint64_t b = ((const struct candidate *)right)->used_at_ns;
  return a < b ? -1 : a > b;
}

/* The granules that an entry has in the memory of these services. */
static uint64_t granules_in(const struct entry *entry, uint64_t services) {
  uint64_t replicas = (uint64_t)__builtin_popcountll(entry_services(entry) & services);
  return replicas * entry_granules(entry);
}

static bool evict_oldest(uint64_t granules, uint64_t services, int64_t *budget_ns) {
  struct candidates candidates;
  if (!collect_all(&candidates)) return false;
  qsort(candidates.list, candidates.count, sizeof *candidates.list, by_age);
  uint64_t evicted = 0;
  size_t objects = 0;
  for (size_t i = 0; i < candidates.count && evicted < granules; i++) {
    const struct entry *entry = entry_at(candidates.list[i].index);
    uint64_t held = granules_in(entry, services);
    if (held == 0 || pin_is_set(entry) || !evict_one(&candidates.list[i], budget_ns)) continue;
    evicted += held;
    objects++;
  }
  log_debug("evicted %zu of %zu objects for a put that did not fit", objects, candidates.count);
  free(candidates.list);
  return objects > 0;
}

bool evict_for(uint64_t granules, uint64_t services, int64_t *budget_ns) {
  if (lock_acquire(&pool.header->evict_lock, budget_ns) == LOCK_TIMED_OUT) return false;
  bool evicted = evict_oldest(granules, services, budget_ns);
  lock_release(&pool.header->evict_lock);
  return evicted;
}

bool evict_now(int64_t *budget_ns) {
  if (lock_acquire(&pool.header->evict_lock, budget_ns) == LOCK_TIMED_OUT) return false;
  double used_percent = percent_used();
  bool evicted = used_percent > HIGH_PERCENT && evict_share(used_percent, budget_ns);
  lock_release(&pool.header->evict_lock);
  return evicted;
}
