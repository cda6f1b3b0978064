/*
 * The distributed engine refuses a region that overlaps another and accepts the same region twice.
 * The embedded engine keeps the regions only to return the same codes: copies on one machine need
 * no registration.
 */
#include "registration.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "mmc_abi.h"

struct region {
  uint64_t start;
  uint64_t end;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct region *regions;
static size_t count;
static size_t room;

static int32_t append(struct region region) {
  if (count == room) {
    size_t wider = room == 0 ? 16 : room * 2;
    struct region *moved = realloc(regions, wider * sizeof *moved);
    if (moved == NULL) return MMC_MALLOC_FAILED;
    regions = moved;
    room = wider;
  }
  regions[count++] = region;
  return MMC_OK;
}

static int32_t add_locked(struct region region) {
  for (size_t i = 0; i < count; i++) {
    bool same = regions[i].start == region.start && regions[i].end == region.end;
    if (same) return MMC_OK;
    if (region.start < regions[i].end && regions[i].start < region.end) return MMC_ERROR;
  }
  return append(region);
}

int32_t registration_add(uint64_t address, uint64_t bytes) {
  if (address == 0 || bytes == 0 || address + bytes < address) return MMC_INVALID_PARAM;
  pthread_mutex_lock(&mutex);
  int32_t code = add_locked((struct region){address, address + bytes});
  pthread_mutex_unlock(&mutex);
  return code;
}

void registration_remove(uint64_t address, uint64_t bytes) {
  pthread_mutex_lock(&mutex);
  for (size_t i = 0; i < count; i++) {
    if (regions[i].start == address && regions[i].end == address + bytes) {
      regions[i] = regions[--count];
      break;
    }
  }
  pthread_mutex_unlock(&mutex);
}

void registration_clear(void) {
  pthread_mutex_lock(&mutex);
  free(regions);
  regions = NULL;
  count = 0;
  room = 0;
  pthread_mutex_unlock(&mutex);
}
