/* The regions of a process: their table and their mappings. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "regions.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table.h"

#define EXPORT __attribute__((visibility("default")))

/* Threads that add and remove regions. The handler takes no lock. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int free_slot(void) {
  for (int slot = 0; slot < MCG_MAX_REGIONS; slot++) {
    if (!table_has(slot)) return slot;
  }
  return -ENOSPC;
}

static int map_locked(int descriptor, uint64_t offset, uint64_t bytes, uint64_t *address) {
  int slot = free_slot();
  if (slot < 0) return slot;
  const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  const uint64_t lead = offset % page;
  uint64_t length;
  if (bytes == 0 || __builtin_add_overflow(bytes, lead + page - 1, &length)) return -EINVAL;
  length = length / page * page;
  if (length > INT64_MAX || offset > INT64_MAX - length) return -EOVERFLOW;
  void *mapped = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, (off_t)(offset - lead));
  if (mapped == MAP_FAILED) return -errno;
  table_set(slot, (uintptr_t)mapped, length);
  *address = (uint64_t)(uintptr_t)mapped + lead;
  return slot;
}

EXPORT int mcg_region_map(int descriptor, uint64_t offset, uint64_t bytes, uint64_t *address) {
  pthread_mutex_lock(&mutex);
  int slot = map_locked(descriptor, offset, bytes, address);
  pthread_mutex_unlock(&mutex);
  return slot;
}

EXPORT int mcg_region_broken(int region) {
  return table_has(region) ? table_is_broken(region) : -EINVAL;
}

EXPORT int mcg_region_unmap(int region) {
  uintptr_t start;
  size_t length;
  int code = 0;
  pthread_mutex_lock(&mutex);
  if (!table_has(region)) code = -EINVAL;
  else {
    table_range(region, &start, &length);
    /* First the table: the handler must not map pages over the next mapping at this address. */
    table_clear(region);
    if (munmap((void *)start, length) != 0) code = -errno;
  }
  pthread_mutex_unlock(&mutex);
  return code;
}

EXPORT int mcg_regions_count(void) {
  int count = 0;
  for (int slot = 0; slot < MCG_MAX_REGIONS; slot++) count += table_has(slot);
  return count;
}

EXPORT int mcg_regions_copy(const struct mcg_piece *pieces, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    memcpy((void *)(uintptr_t)pieces[i].to, (const void *)(uintptr_t)pieces[i].from, pieces[i].bytes);
  }
  return 0;
}
