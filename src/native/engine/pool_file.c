/*
 * Creating, joining and removing happen under one lock on the file, so nobody joins a file that
 * is being removed or uses one that is half made. A file on which no client holds its lock is
 * dead, whatever is in it: it is emptied and made anew.
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
#include "pool.h"

static bool is_ours(int descriptor, struct stat *status) {
  if (fstat(descriptor, status) != 0) return false;
  bool private = S_ISREG(status->st_mode) && status->st_uid == geteuid() &&
                 (status->st_mode & (S_IRWXG | S_IRWXO)) == 0;
  if (!private) log_warning("pool %s belongs to another user or is open to others", pool.name);
  return private;
}

/* Opens the file and takes the membership lock on it, unless it was removed in between. */
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
    log_warning("no room for the pool in /dev/shm: %s", strerror(errno));
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

static int32_t open_existing(void) {
  if (!map_base()) return MMC_ERROR;
  struct pool_header *header = pool.header;
  if (header->layout == POOL_LAYOUT && header->entry_bytes == sizeof(struct entry)) return MMC_OK;
  log_warning("pool %s was made by another version of the engine", pool.name);
  return MMC_ERROR;
}

static bool is_cut_off(void) {
  struct stat status;
  return fstat(pool.descriptor, &status) == 0 && status.st_size < (off_t)BASE_BYTES;
}

/* A file that nobody has joined is empty for a moment while its creator waits for the lock. */
static bool is_valid(bool joined) {
  struct stat status;
  uint64_t magic = 0;
  if (fstat(pool.descriptor, &status) != 0) return false;
  if (status.st_size == 0) return !joined;
  return status.st_size >= (off_t)BASE_BYTES &&
         pread(pool.descriptor, &magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
         magic == POOL_MAGIC;
}

/*
 * A destroyed file that clients still hold loses its name: they keep it until they find out
 * (watch.c), which one that is stopped cannot, and this client makes the pool anew beside it.
 */
int32_t pool_file_open(void) {
  for (;;) {
    int32_t code = open_locked();
    if (code != MMC_OK) return code;
    bool joined = liveness_any_held(pool.descriptor);
    bool valid = is_valid(joined);
    if (!valid) {
      log_warning("pool %s has no valid header, since another program overwrote it or cut it off: "
                  "the pool is made anew and is empty",
                  pool.name);
    }
    if (!joined) return create();
    if (valid) return open_existing();
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

const char *pool_file_damage(void) {
  if (is_cut_off()) return "cut off"; /* before the header is touched, which would be SIGBUS */
  return pool_is_intact() ? NULL : "overwritten";
}
