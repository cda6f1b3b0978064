/*
 * A segment is mapped at any address when it is first used. Later its slot may belong to another
 * client, whose segment is elsewhere in the file: the incarnation in the state of the slot shows
 * this. The old mapping may then be removed, because a slot is reused only when no call pins it.
 */
#include "segment.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "backing.h"
#include "lock.h"

struct mapping {
  _Atomic uint64_t incarnation; /* + 1; 0 is unmapped */
  char *_Atomic base;
  uint64_t file_offset; /* a copy, because the header may be destroyed during a call */
  uint64_t data_bytes;
};

#define MAX_FILE_OFFSET (1ull << 60) /* larger than any valid offset, too small for an overflow */

static struct mapping mappings[CLIENT_SLOTS];
static pthread_mutex_t mapping_mutex = PTHREAD_MUTEX_INITIALIZER;

static inline uint64_t groups_of(uint64_t bytes) {
  return (bytes + GROUP_BYTES - 1) / GROUP_BYTES;
}

static inline uint64_t bitmap_offset_of(uint64_t bytes) {
  return ROUND_UP(groups_of(bytes) * sizeof(struct group_summary), 64);
}

static inline uint64_t data_offset_of(uint64_t bytes) {
  return ROUND_UP(bitmap_offset_of(bytes) + groups_of(bytes) * GROUP_WORDS * 8, PAGE_BYTES);
}

uint64_t segment_file_bytes(uint64_t bytes) {
  return data_offset_of(bytes) + ROUND_UP(bytes, PAGE_BYTES);
}

/* Every member of a valid segment except file_offset follows from `bytes`. */
static bool copy_range(const struct segment *segment, struct segment_range *range) {
  uint64_t bytes = segment->bytes;
  *range = (struct segment_range){segment->file_offset, bytes, segment->file_bytes};
  return bytes > 0 && bytes <= MAX_SEGMENT_BYTES && segment->groups == groups_of(bytes) &&
         segment->bitmap_offset == bitmap_offset_of(bytes) &&
         segment->data_offset == data_offset_of(bytes) &&
         range->left_bytes <= segment_file_bytes(bytes) && range->file_offset >= BASE_BYTES &&
         range->file_offset <= MAX_FILE_OFFSET && range->file_offset % PAGE_BYTES == 0;
}

/* Reads the state twice: another client may have taken the slot and not filled it yet. */
enum range_result segment_read_range(uint32_t slot, struct segment_range *range) {
  struct client *client = pool_client(slot);
  uint64_t word = atomic_load(&client->state);
  bool possible = copy_range(&client->segment, range);
  atomic_thread_fence(memory_order_acquire);
  bool settled = client_state_of(word) != CLIENT_FREE && atomic_load(&client->state) == word;
  if (range->bytes == 0 || !settled) return RANGE_NONE;
  return pool_check(possible) ? RANGE_READ : RANGE_DAMAGED;
}

static void unmap(struct mapping *mapping) {
  if (atomic_load(&mapping->base) == NULL) return;
  atomic_store(&mapping->incarnation, 0);
  munmap(atomic_load(&mapping->base), segment_file_bytes(mapping->data_bytes));
  atomic_store(&mapping->base, NULL);
}

static bool map_file(struct mapping *mapping, const struct segment_range *range) {
  uint64_t bytes = segment_file_bytes(range->bytes);
  unmap(mapping);
  void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                    pool.descriptor, (off_t)range->file_offset);
  if (base == MAP_FAILED) return false;
  madvise(base, bytes, MADV_DONTDUMP);
  madvise(base, bytes, MADV_DONTFORK);
  mapping->file_offset = range->file_offset;
  mapping->data_bytes = range->bytes;
  atomic_store(&mapping->base, base);
  return true;
}

/*
 * A mapping of the same range stays. Otherwise an incarnation that another program has overwritten
 * would unmap memory that another thread uses.
 */
static bool map_range(uint32_t service, uint64_t incarnation) {
  struct mapping *mapping = &mappings[service];
  struct segment_range range;
  if (!copy_range(&pool_client(service)->segment, &range)) {
    segment_read_range(service, &range); /* condemns the pool, unless the slot is incomplete */
    return false;
  }
  bool same = atomic_load(&mapping->base) != NULL && mapping->file_offset == range.file_offset &&
              mapping->data_bytes == range.bytes;
  if (!same && !map_file(mapping, &range)) return false;
  atomic_store(&mapping->incarnation, incarnation + 1);
  return true;
}

static bool map_again(uint32_t service, uint64_t incarnation) {
  if (!pool_is_intact()) return false; /* another thread may still use the mapping */
  pthread_mutex_lock(&mapping_mutex);
  bool mapped = atomic_load(&mappings[service].incarnation) == incarnation + 1 ||
                map_range(service, incarnation);
  pthread_mutex_unlock(&mapping_mutex);
  return mapped;
}

static char *base_of(uint32_t service) {
  uint64_t incarnation = atomic_load(&pool_client(service)->state) >> 2;
  struct mapping *mapping = &mappings[service];
  if (atomic_load_explicit(&mapping->incarnation, memory_order_acquire) != incarnation + 1 &&
      !map_again(service, incarnation)) {
    return NULL;
  }
  return atomic_load_explicit(&mapping->base, memory_order_relaxed);
}

bool segment_view(uint32_t service, struct segment_view *view) {
  char *base = base_of(service);
  if (base == NULL) return false;
  view->segment = &pool_client(service)->segment;
  view->bitmap.summaries = (struct group_summary *)base;
  view->bytes = mappings[service].data_bytes;
  view->groups = groups_of(view->bytes);
  view->bitmap.words = (uint64_t *)(base + bitmap_offset_of(view->bytes));
  view->bitmap.first_group = view->segment->first_group;
  view->data = base + data_offset_of(view->bytes);
  view->file_offset = mappings[service].file_offset + data_offset_of(view->bytes);
  return true;
}

void segment_unmap_all(void) {
  for (uint32_t service = 0; service < CLIENT_SLOTS; service++) unmap(&mappings[service]);
}

void segment_forget_all(void) {
  for (uint32_t service = 0; service < CLIENT_SLOTS; service++) {
    atomic_store(&mappings[service].base, NULL);
    atomic_store(&mappings[service].incarnation, 0);
  }
}

bool segment_holds(const struct segment_view *view, uint64_t start, uint64_t granules) {
  uint64_t limit = view->bytes / GRANULE_BYTES;
  uint64_t backed = atomic_load_explicit(&view->segment->backed_groups, memory_order_relaxed);
  if (backed < view->groups && backed * GROUP_GRANULES < limit) limit = backed * GROUP_GRANULES;
  return granules <= limit && start <= limit - granules;
}

char *segment_address(uint64_t replica, uint64_t bytes) {
  struct segment_view view;
  if (replica == 0 || !segment_view(replica_service(replica), &view)) return NULL;
  uint64_t start = replica_granule(replica);
  if (!pool_check(segment_holds(&view, start, granules_of(bytes)))) return NULL;
  return view.data + start * GRANULE_BYTES;
}

/* Empty the range first: a client that was killed while joining may have begun to use it. */
bool segment_format(uint32_t service, uint64_t file_offset, uint64_t bytes) {
  struct segment *segment = &pool_client(service)->segment;
  memset(segment, 0, sizeof *segment);
  segment->bytes = bytes;
  if (bytes == 0) return true;
  segment->groups = groups_of(bytes);
  segment->file_offset = file_offset;
  segment->file_bytes = segment_file_bytes(bytes);
  segment->bitmap_offset = bitmap_offset_of(bytes);
  segment->data_offset = data_offset_of(bytes);
  struct segment_view view;
  if (!backing_return(pool.descriptor, file_offset, segment->file_bytes) ||
      !backing_obtain(pool.descriptor, file_offset, segment->data_offset) ||
      !segment_view(service, &view)) {
    return false;
  }
  bitmap_format(&view.bitmap, segment->groups);
  uint64_t granules = bytes / GRANULE_BYTES;
  bitmap_set(&view.bitmap, granules, segment->groups * GROUP_GRANULES - granules);
  return true;
}

static bool grow_locked(const struct segment_view *view, uint64_t groups) {
  struct segment *segment = view->segment;
  uint64_t backed = atomic_load(&segment->backed_groups);
  if (backed >= view->groups) return false;
  uint64_t wanted = backed + groups < view->groups ? backed + groups : view->groups;
  uint64_t end = wanted * GROUP_BYTES;
  if (end > view->bytes) end = ROUND_UP(view->bytes, PAGE_BYTES);
  uint64_t start = backed * GROUP_BYTES;
  if (!backing_obtain(pool.descriptor, view->file_offset + start, end - start)) return false;
  atomic_store(&segment->backed_groups, wanted);
  return true;
}

/* An inherited lock needs no repair: fallocate accepts pages that a dead owner has allocated. */
bool segment_grow(const struct segment_view *view, uint64_t groups, int64_t *budget_ns) {
  if (lock_acquire(&view->segment->growth, budget_ns) == LOCK_TIMED_OUT) return false;
  bool grown = grow_locked(view, groups);
  lock_release(&view->segment->growth);
  return grown;
}
