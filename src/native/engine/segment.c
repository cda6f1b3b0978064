/*
 * A segment is mapped when it is first used, at whatever address there is room. A slot may later
 * belong to another client, with a segment elsewhere in the file: the incarnation in the slot's
 * state tells, and the old mapping can go, since a slot is only given away when nobody pins it.
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
  uint64_t bytes;
  uint64_t bitmap_offset; /* copies: the header may be destroyed while bytes are moved */
  uint64_t data_offset;
  uint64_t data_bytes;
};

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

static void unmap(struct mapping *mapping) {
  if (atomic_load(&mapping->incarnation) == 0) return;
  atomic_store(&mapping->incarnation, 0);
  munmap(atomic_load(&mapping->base), mapping->bytes);
}

static bool map_range(uint32_t service, uint64_t incarnation) {
  struct mapping *mapping = &mappings[service];
  struct segment *segment = &pool_client(service)->segment;
  unmap(mapping);
  void *base = mmap(NULL, segment->file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                    pool.descriptor, (off_t)segment->file_offset);
  if (base == MAP_FAILED) return false;
  madvise(base, segment->file_bytes, MADV_DONTDUMP);
  madvise(base, segment->file_bytes, MADV_DONTFORK);
  mapping->bytes = segment->file_bytes;
  mapping->bitmap_offset = segment->bitmap_offset;
  mapping->data_offset = segment->data_offset;
  mapping->data_bytes = segment->bytes;
  atomic_store(&mapping->base, base);
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
  view->bitmap.words = (uint64_t *)(base + mappings[service].bitmap_offset);
  view->bitmap.first_group = view->segment->first_group;
  view->data = base + mappings[service].data_offset;
  view->bytes = mappings[service].data_bytes;
  view->groups = groups_of(view->bytes);
  return true;
}

void segment_unmap_all(void) {
  for (uint32_t service = 0; service < CLIENT_SLOTS; service++) unmap(&mappings[service]);
}

void segment_forget_all(void) {
  for (uint32_t service = 0; service < CLIENT_SLOTS; service++) {
    atomic_store(&mappings[service].incarnation, 0);
  }
}

char *segment_address(uint64_t replica) {
  uint32_t service = replica_service(replica);
  char *base = base_of(service);
  if (base == NULL) return NULL;
  return base + mappings[service].data_offset + replica_granule(replica) * GRANULE_BYTES;
}

/* The range may be one that a client, killed while joining, had begun to use: empty it first. */
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
  if (backed >= view->groups || !pool_is_intact()) return false;
  uint64_t wanted = backed + groups < view->groups ? backed + groups : view->groups;
  uint64_t end = wanted * GROUP_BYTES;
  if (end > view->bytes) end = ROUND_UP(view->bytes, PAGE_BYTES);
  uint64_t start = backed * GROUP_BYTES;
  if (!backing_obtain(pool.descriptor, segment->file_offset + segment->data_offset + start,
                      end - start)) {
    return false;
  }
  atomic_store(&segment->backed_groups, wanted);
  return true;
}

/* What a dead owner had obtained but not announced is simply obtained again. */
bool segment_grow(const struct segment_view *view, uint64_t groups, int64_t *budget_ns) {
  if (lock_acquire(&view->segment->growth, budget_ns) == LOCK_TIMED_OUT) return false;
  bool grown = grow_locked(view, groups);
  lock_release(&view->segment->growth);
  return grown;
}
