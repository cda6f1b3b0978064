/*
 * Create, join and remove hold one lock on the file. Without it, a client could join a file that is
 * being removed, or use one that is incomplete. A file on which no client holds its lock is dead,
 * whatever it contains: it is emptied and created again.
 */
#include "pool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backing.h"
#include "liveness.h"
#include "log.h"
#include "segment.h"

static bool is_ours(int descriptor, struct stat *status) {
  if (fstat(descriptor, status) != 0) return false;
  bool private = S_ISREG(status->st_mode) && status->st_uid == geteuid() &&
                 (status->st_mode & (S_IRWXG | S_IRWXO)) == 0;
  if (!private) log_warning("pool %s belongs to another user or its mode is not 0600", pool.name);
  return private;
}

/* Opens the file and takes its membership lock; starts again if the file was removed in between. */
static int32_t open_locked(void) {
  for (;;) {
    struct stat status;
    pool.descriptor = shm_open(pool.name, O_RDWR | O_CREAT, S_IRUSR | S_IWUSR);
    if (pool.descriptor < 0) {
      log_warning("pool %s cannot be opened: %s", pool.name, strerror(errno));
      return MMC_ERROR;
    }
    int32_t code = MMC_OK;
    if (!is_ours(pool.descriptor, &status)) {
      code = MMC_ERROR;
    } else if (!liveness_lock_membership(pool.descriptor, MEMBERSHIP_BUDGET_NS)) {
      code = MMC_TIMEOUT;
    } else if (fstat(pool.descriptor, &status) == 0 && status.st_nlink > 0) {
      return MMC_OK;
    }
    close(pool.descriptor);
    pool.descriptor = -1;
    if (code != MMC_OK) return code;
  }
}

static bool map_base(void) {
  char *base = mmap(NULL, BASE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                    pool.descriptor, 0);
  if (base == MAP_FAILED) return false;
  madvise(base, BASE_BYTES, MADV_DONTDUMP);
  madvise(base, BASE_BYTES, MADV_DONTFORK);
  pool.header = (struct pool_header *)base;
  pool.chunk_shard = (uint8_t *)(base + CHUNK_MAP_OFFSET);
  pool.shards = (struct shard *)(base + SHARDS_OFFSET);
  pool.entries = (struct entry *)(base + ENTRIES_OFFSET);
  return true;
}

static int32_t create(void) {
  if (ftruncate(pool.descriptor, 0) != 0 || ftruncate(pool.descriptor, BASE_BYTES) != 0 ||
      !backing_obtain(pool.descriptor, 0, ENTRIES_OFFSET)) {
    log_warning("/dev/shm has no space for the pool: %s", strerror(errno));
    return MMC_ERROR;
  }
  if (!map_base()) return MMC_ERROR;
  struct pool_header *header = pool.header;
  header->layout = POOL_LAYOUT;
  header->entry_bytes = sizeof(struct entry);
  if (getrandom(&header->seed, sizeof header->seed, 0) != (ssize_t)sizeof header->seed) {
    return MMC_ERROR;
  }
  atomic_store(&header->magic, POOL_MAGIC);
  return MMC_OK;
}

static bool is_shorter_than(uint64_t bytes) {
  struct stat status;
  return fstat(pool.descriptor, &status) == 0 && status.st_size < (off_t)bytes;
}

/*
 * The length of the file according to the header; 0 if the header is invalid. A client extends the
 * file before it sets its state, so read the length of the file after calling this.
 */
static uint64_t promised_bytes(void) {
  uint64_t promised = BASE_BYTES;
  if (atomic_load(&pool.header->chunk_count) > MAX_CHUNKS) return 0;
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    struct segment_range range;
    enum range_result result = segment_read_range(slot, &range);
    if (result == RANGE_DAMAGED) return 0;
    uint64_t end = range.file_offset + segment_file_bytes(range.bytes);
    if (result == RANGE_READ && end > promised) promised = end;
  }
  return atomic_load(&pool.header->magic) == POOL_MAGIC ? promised : 0;
}

enum file_state { FILE_EMPTY, FILE_WHOLE, FILE_FOREIGN, FILE_DAMAGED, FILE_UNMAPPABLE };

/* A file without clients is empty while its creator waits for the lock. */
static enum file_state judge(bool joined) {
  if (!joined && is_shorter_than(1)) return FILE_EMPTY;
  if (is_shorter_than(BASE_BYTES)) return FILE_DAMAGED;
  if (!map_base()) return FILE_UNMAPPABLE;
  const struct pool_header *header = pool.header;
  if (atomic_load(&header->magic) != POOL_MAGIC) return FILE_DAMAGED;
  bool ours = header->layout == POOL_LAYOUT && header->entry_bytes == sizeof(struct entry);
  if (!ours) return FILE_FOREIGN;
  uint64_t promised = promised_bytes();
  return promised == 0 || is_shorter_than(promised) ? FILE_DAMAGED : FILE_WHOLE;
}

static void unmap_base(void) {
  if (pool.header != NULL) munmap(pool.header, BASE_BYTES);
  pool.header = NULL;
}

/*
 * If the file is destroyed and other clients still hold it, this client removes its name and creates
 * the pool again. The others leave the old file when they notice the damage (watch.c); a stopped
 * client cannot, so waiting for them might never end.
 */
int32_t pool_file_open(void) {
  for (;;) {
    int32_t code = open_locked();
    if (code != MMC_OK) return code;
    bool joined = liveness_any_held(pool.descriptor);
    enum file_state state = judge(joined);
    if (state == FILE_UNMAPPABLE) return MMC_ERROR;
    if (joined && state == FILE_WHOLE) return MMC_OK;
    if (joined && state == FILE_FOREIGN) {
      log_warning("pool %s was created by another version of the engine", pool.name);
      return MMC_ERROR;
    }
    unmap_base();
    if (state == FILE_DAMAGED) {
      log_warning("pool %s has no valid header, because another program overwrote or truncated its "
                  "file: the pool is created anew and is empty",
                  pool.name);
    }
    if (!joined) return create();
    shm_unlink(pool.name);
    close(pool.descriptor);
  }
}

bool pool_file_is_named(void) {
  struct stat named, opened;
  int descriptor = shm_open(pool.name, O_RDONLY, 0);
  if (descriptor < 0) return false;
  bool same = fstat(descriptor, &named) == 0 && fstat(pool.descriptor, &opened) == 0 &&
              named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
  close(descriptor);
  return same;
}

/*
 * Without the old length, other clients would get SIGBUS where they now find no magic. leftovers.c
 * recognises the file by its length.
 */
static void restore_length(void) {
  pool_condemn();
  if (ftruncate(pool.descriptor, BASE_BYTES) != 0) log_debug("pool %s stays truncated", pool.name);
}

/*
 * Compare the length before touching the header: a page beyond the end of the file raises SIGBUS.
 * The process still ends if the file is truncated between the two, or if a call touches such a page
 * before this function runs.
 */
const char *pool_file_damage(void) {
  if (is_shorter_than(BASE_BYTES)) {
    restore_length();
    return "truncated";
  }
  uint64_t promised = pool_is_intact() ? promised_bytes() : 0;
  if (promised > 0 && !is_shorter_than(promised)) return NULL;
  pool_condemn(); /* so that the other clients leave, and the next one to join logs it */
  return promised == 0 ? "overwritten" : "truncated";
}
