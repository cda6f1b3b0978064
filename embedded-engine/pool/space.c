/*
 * Allocation writes the entry before the bitmap; release writes the bitmap before the entry. So the
 * entries always name all used space, and a bitmap that a dead owner left half-changed can be
 * rebuilt from them.
 */
#include "space.h"

#include <string.h>

#include "lock.h"
#include "log.h"
#include "segment.h"

/* Limits of one step of growth in a put: a large step would delay other puts. */
#define MIN_GROW_GROUPS 4u
#define MAX_GROW_GROUPS 128u

static void mark_replicas(struct entry *entry, void *context) {
  const struct segment_view *view = context;
  uint64_t granules = entry_granules(entry);
  uint64_t used = 0;
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    uint64_t replica = atomic_load_explicit(&entry->replicas[i], memory_order_acquire);
    if (replica == 0 || &pool_client(replica_service(replica))->segment != view->segment) continue;
    uint64_t start = replica_granule(replica);
    if (!pool_check(segment_holds(view, start, granules))) return;
    bitmap_set(&view->bitmap, start, granules);
    used += granules;
  }
  if (used > 0) atomic_fetch_add(&view->segment->used_granules, used);
}

static void rebuild(const struct segment_view *view) {
  struct segment *segment = view->segment;
  memset(view->bitmap.words, 0, view->groups * GROUP_WORDS * sizeof *view->bitmap.words);
  bitmap_format(&view->bitmap, view->groups);
  uint64_t granules = view->bytes / GRANULE_BYTES;
  bitmap_set(&view->bitmap, granules, view->groups * GROUP_GRANULES - granules);
  atomic_store(&segment->used_granules, 0);
  entry_visit(SHARDS, mark_replicas, (void *)view);
  log_debug("rebuilt the bitmap of a segment after the owner of its lock died");
}

static bool lock_segment(const struct segment_view *view, int64_t *budget_ns) {
  enum lock_result result = lock_acquire(&view->segment->lock, budget_ns);
  if (result == LOCK_INHERITED && !atomic_load(&view->segment->closed)) rebuild(view);
  return result != LOCK_TIMED_OUT;
}

static void note_top(struct segment *segment, uint64_t granule_end) {
  uint64_t group = (granule_end + GROUP_GRANULES - 1) / GROUP_GRANULES;
  if (atomic_load_explicit(&segment->top_group, memory_order_relaxed) < group) {
    atomic_store_explicit(&segment->top_group, group, memory_order_relaxed);
  }
}

static bool take_locked(const struct segment_view *view, struct entry *entry, uint32_t index,
                        uint32_t service, uint64_t *trailing) {
  uint64_t granules = entry_granules(entry);
  uint64_t start;
  uint64_t backed = atomic_load(&view->segment->backed_groups);
  if (!pool_check(backed <= view->groups)) return false;
  if (!bitmap_find(&view->bitmap, backed, granules, &start, trailing)) return false;
  /* The bitmap's summaries are in shared memory too. */
  if (!pool_check(segment_holds(view, start, granules))) return false;
  atomic_store_explicit(&entry->replicas[index], replica_make(service, start),
                        memory_order_release);
  bitmap_set(&view->bitmap, start, granules);
  atomic_fetch_add_explicit(&view->segment->used_granules, granules, memory_order_relaxed);
  note_top(view->segment, start + granules);
  return true;
}

/* Whether the free run at the end would be long enough if the whole segment were allocated. */
static bool growth_may_help(const struct segment_view *view, uint64_t granules,
                            uint64_t trailing) {
  uint64_t backed = atomic_load(&view->segment->backed_groups) * GROUP_GRANULES;
  uint64_t all = view->bytes / GRANULE_BYTES;
  return backed < all && granules - trailing <= all - backed;
}

/* Allocates some groups in advance; in a nearly full tmpfs, only the missing ones. */
static bool grow(const struct segment_view *view, uint64_t missing_granules, int64_t *budget_ns) {
  uint64_t before = atomic_load(&view->segment->backed_groups);
  uint64_t missing = (missing_granules + GROUP_GRANULES - 1) / GROUP_GRANULES;
  if (missing > MAX_GROW_GROUPS) missing = MAX_GROW_GROUPS;
  uint64_t wanted = missing > MIN_GROW_GROUPS ? missing : MIN_GROW_GROUPS;
  return segment_grow(view, wanted, budget_ns) ||
         (missing < wanted && segment_grow(view, missing, budget_ns)) ||
         atomic_load(&view->segment->backed_groups) != before;
}

enum space_result space_take(struct entry *entry, uint32_t index, uint32_t service,
                             int64_t *budget_ns) {
  struct segment_view view;
  uint64_t granules = entry_granules(entry);
  if (!segment_view(service, &view) || granules > view.bytes / GRANULE_BYTES) {
    return SPACE_NONE;
  }
  for (;;) {
    uint64_t trailing = 0;
    if (!lock_segment(&view, budget_ns)) return SPACE_TIMED_OUT;
    bool closed = atomic_load(&view.segment->closed);
    bool taken = !closed && take_locked(&view, entry, index, service, &trailing);
    lock_release(&view.segment->lock);
    if (taken) return SPACE_TAKEN;
    if (closed || !growth_may_help(&view, granules, trailing)) return SPACE_NONE;
    if (!grow(&view, granules - trailing, budget_ns)) {
      return *budget_ns == 0 ? SPACE_TIMED_OUT : SPACE_NONE;
    }
  }
}

static void give_back_locked(const struct segment_view *view, struct entry *entry,
                             uint64_t start) {
  uint64_t granules = entry_granules(entry);
  if (!pool_check(segment_holds(view, start, granules))) return;
  bitmap_clear(&view->bitmap, start, granules);
  atomic_fetch_sub_explicit(&view->segment->used_granules, granules, memory_order_relaxed);
}

/* In a closed segment only the entry changes, because the bitmap is released with the segment. */
bool space_give_back(struct entry *entry, uint32_t index, int64_t *budget_ns) {
  uint64_t replica = atomic_load(&entry->replicas[index]);
  if (replica == 0) return true;
  struct segment *segment = &pool_client(replica_service(replica))->segment;
  if (atomic_load(&segment->closed)) {
    atomic_store(&entry->replicas[index], 0);
    return true;
  }
  struct segment_view view;
  if (!segment_view(replica_service(replica), &view) || !lock_segment(&view, budget_ns)) {
    return false;
  }
  if (!atomic_load(&segment->closed)) give_back_locked(&view, entry, replica_granule(replica));
  atomic_store_explicit(&entry->replicas[index], 0, memory_order_release);
  lock_release(&segment->lock);
  return true;
}

bool space_settle(uint32_t service, uint64_t dead, int64_t *budget_ns) {
  struct segment *segment = &pool_client(service)->segment;
  struct segment_view view;
  if (!lock_settle(&segment->growth, dead, budget_ns)) return false;
  if (!lock_is_owned_by(&segment->lock, dead)) return true;
  if (!segment_view(service, &view) || !lock_segment(&view, budget_ns)) return false;
  lock_release(&segment->lock);
  return true;
}

bool space_close(uint32_t service, int64_t *budget_ns) {
  struct segment *segment = &pool_client(service)->segment;
  if (segment->bytes == 0 || atomic_load(&segment->closed)) return true;
  if (lock_acquire(&segment->lock, budget_ns) == LOCK_TIMED_OUT) return false;
  atomic_store(&segment->closed, 1);
  lock_release(&segment->lock);
  return true;
}
