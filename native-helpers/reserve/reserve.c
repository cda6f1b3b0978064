/*
 * Reserves the engine's address range while Node starts.
 *
 * The engine maps its pool at a fixed address, where V8 also allocates pages. A worker preloads this
 * library, which reserves the range before Node runs, as address space without memory. The worker
 * releases it immediately before mmc_init. Without MCG_RESERVE_BYTES it does nothing. It removes the
 * variable from the environment, so that child processes reserve nothing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_NORESERVE */
#endif

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define RANGE_START ((uintptr_t)0x280000000000)
#define EXPORT __attribute__((visibility("default")))

enum { NOT_ASKED = 0, RESERVED = 1, RELEASED = 2 };

static int state = NOT_ASKED; /* or a negative errno: the reservation failed */
static size_t reserved_bytes;

/* 0 if the text is not a positive decimal number. */
static size_t parse_bytes(const char *text) {
  size_t bytes = 0;
  for (; *text >= '0' && *text <= '9'; ++text) {
    if (__builtin_mul_overflow(bytes, (size_t)10, &bytes)) return 0;
    if (__builtin_add_overflow(bytes, (size_t)(*text - '0'), &bytes)) return 0;
  }
  return *text == '\0' ? bytes : 0;
}

__attribute__((constructor)) static void reserve(void) {
  const char *text = getenv("MCG_RESERVE_BYTES");
  if (text == NULL) return;
  size_t bytes = parse_bytes(text);
  unsetenv("MCG_RESERVE_BYTES");
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (bytes == 0 || bytes > SIZE_MAX - page) {
    state = -EINVAL;
    return;
  }
  bytes = (bytes + page - 1) / page * page;
  void *want = (void *)RANGE_START;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  void *got = mmap(want, bytes, PROT_NONE, flags, -1, 0);
  if (got == want) {
    reserved_bytes = bytes;
    state = RESERVED;
  } else if (got == MAP_FAILED) {
    state = -errno;
  } else { /* a kernel before 4.17 treats the address as a hint */
    munmap(got, bytes);
    state = -EEXIST;
  }
}

/* 0 not requested, 1 reserved, 2 released, or the negative errno of the failure. */
EXPORT int mcg_reserve_state(void) { return state; }

/* Releases the range, if it is reserved. Returns 0 or a negative errno. */
EXPORT int mcg_reserve_release(void) {
  if (state != RESERVED) return 0;
  if (munmap((void *)RANGE_START, reserved_bytes) != 0) return -errno;
  state = RELEASED;
  return 0;
}
