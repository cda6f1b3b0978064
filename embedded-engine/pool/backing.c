/*
 * Allocate every page with fallocate before touching it; otherwise the first access to a page of a
 * full tmpfs kills the process with SIGBUS. fallocate returns ENOSPC instead. posix_fallocate is not
 * used, because it may fall back to writing zeros.
 */
#include "backing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int allocate(int descriptor, int mode, uint64_t offset, uint64_t bytes) {
  int result;
  do {
    result = fallocate(descriptor, mode, (off_t)offset, (off_t)bytes);
  } while (result != 0 && errno == EINTR);
  return result;
}

bool backing_obtain(int descriptor, uint64_t offset, uint64_t bytes) {
  return allocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, bytes) == 0;
}

bool backing_return(int descriptor, uint64_t offset, uint64_t bytes) {
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  return allocate(descriptor, mode, offset, bytes) == 0;
}

bool backing_is_plentiful(int descriptor) {
  struct statvfs shared;
  if (fstatvfs(descriptor, &shared) != 0) return false;
  return shared.f_blocks == 0 || shared.f_bavail >= shared.f_blocks / 4;
}

/* For kernels before 5.14: a read fault also maps a shared page and never changes it. */
__attribute__((no_sanitize("thread"))) static void touch_by_reading(const volatile char *address, uint64_t bytes) {
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  for (uint64_t offset = 0; offset < bytes; offset += page) (void)address[offset];
}

void backing_touch(void *address, uint64_t bytes) {
  if (madvise(address, bytes, MADV_POPULATE_WRITE) == 0) return;
  if (errno == EINVAL || errno == ENOSYS) touch_by_reading(address, bytes);
}
