/*
 * Join and leave hold the same lock on the file as create and remove (pool_file.c). Without it, a
 * client could join a file that is being removed.
 */
#include "membership.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "leftovers.h"
#include "liveness.h"
#include "log.h"
#include "pool_file.h"
#include "segment.h"
#include "settings.h"
#include "sweep.h"

#define FILE_ALIGNMENT (2ull << 20)

/* The lowest gap between the segments of other clients that is long enough. */
static uint64_t find_file_range(uint64_t bytes) {
  uint64_t offset = ROUND_UP(BASE_BYTES, FILE_ALIGNMENT);
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    struct segment_range other;
    if (segment_read_range(slot, &other) != RANGE_READ) continue;
    uint64_t end = other.file_offset + segment_file_bytes(other.bytes);
    if (end <= offset || other.file_offset >= offset + bytes) continue;
    offset = ROUND_UP(end, FILE_ALIGNMENT);
    slot = UINT32_MAX; /* start again: the segments are not sorted */
  }
  return offset;
}

static bool extend_file(uint64_t end) {
  struct stat status;
  if (fstat(pool.descriptor, &status) != 0) return false;
  return (uint64_t)status.st_size >= end || ftruncate(pool.descriptor, (off_t)end) == 0;
}

static bool take_slot(void) {
  for (uint32_t slot = 0; slot < CLIENT_SLOTS; slot++) {
    uint64_t word = atomic_load(&pool_client(slot)->state);
    if (client_state_of(word) == CLIENT_FREE && liveness_hold(pool.descriptor, slot)) {
      pool.self = slot;
      if (slot >= pool_slots()) atomic_store(&pool.header->slots_used, slot + 1);
      return true;
    }
  }
  log_warning("pool %s already has %u clients, which is the maximum", pool.name, CLIENT_SLOTS);
  return false;
}

/* Set CLIENT_LIVE last: a client that is killed before then leaves a free slot. */
static int32_t join(bool contributes, uint64_t bytes) {
  pool.seed = pool.header->seed;
  if (!take_slot()) return MMC_ERROR;
  struct client *self = pool_self();
  uint64_t contribution = contributes ? bytes : 0;
  uint64_t file_bytes = segment_file_bytes(bytes);
  uint64_t offset = find_file_range(file_bytes);
  uint64_t incarnation = (atomic_load(&self->state) >> 2) + 1;
  pool_set_state(incarnation << 2 | CLIENT_FREE);
  if (contribution > 0 && !extend_file(offset + file_bytes)) return MMC_ERROR;
  if (!segment_format(pool.self, offset, contribution)) {
    log_warning("/dev/shm has no space for the segment of this client");
    return MMC_ERROR;
  }
  if (!pool_is_intact()) return MMC_ERROR; /* the range may overlap the segments of others */
  atomic_store(&self->swept, 0);
  atomic_store(&self->pins_used, 0);
  pool_set_state(incarnation << 2 | CLIENT_LIVE);
  if (contributes) atomic_fetch_or(&pool.header->live_services, service_bit(pool.self));
  pool.contributes = contributes;
  return MMC_OK;
}

static void warn_if_small(void) {
  struct statvfs shared;
  uint64_t total = pool_measure_use().total_bytes;
  if (fstatvfs(pool.descriptor, &shared) != 0 || shared.f_blocks == 0) return;
  uint64_t room = (uint64_t)shared.f_blocks * shared.f_frsize;
  if (room < total) {
    log_warning("/dev/shm has %llu MiB, the pool needs %llu MiB: puts fail when /dev/shm is full",
                (unsigned long long)(room >> 20), (unsigned long long)(total >> 20));
  }
}

static void release(void) {
  if (!liveness_any_held(pool.descriptor) && pool_file_is_named()) shm_unlink(pool.name);
  segment_unmap_all();
  if (pool.header != NULL) munmap(pool.header, BASE_BYTES);
  pool.header = NULL;
  close(pool.descriptor);
  pool.descriptor = -1;
}

int32_t membership_take(bool contributes) {
  uint64_t bytes;
  if (!settings_read_pool_name(pool.name, sizeof pool.name) || !settings_read_bytes(&bytes) ||
      !settings_read_eviction(&pool.evicts_for_size)) {
    return MMC_INVALID_PARAM;
  }
  leftovers_remove(pool.name);
  int32_t code = pool_file_open();
  if (pool.descriptor < 0) return code;
  if (code == MMC_OK) code = join(contributes, bytes);
  if (code != MMC_OK) {
    release();
    return code;
  }
  liveness_unlock_membership(pool.descriptor);
  warn_if_small();
  log_debug("joined the pool %s as client %u", pool.name, pool.self);
  return MMC_OK;
}

/* Without the lock the file stays. The next client finds it dead and removes it. */
void membership_give_up(void) {
  if (pool_file_damage() != NULL) {
    membership_abandon();
    return;
  }
  if (liveness_any_held(pool.descriptor)) sweep_self();
  if (liveness_lock_membership(pool.descriptor, MEMBERSHIP_BUDGET_NS)) {
    release();
    return;
  }
  membership_abandon();
}

void membership_abandon(void) {
  segment_unmap_all();
  munmap(pool.header, BASE_BYTES);
  pool.header = NULL;
  close(pool.descriptor);
  pool.descriptor = -1;
}

void membership_disown(void) {
  if (pool.descriptor >= 0) close(pool.descriptor);
  pool.descriptor = -1;
  pool.header = NULL;
  segment_forget_all();
}
