/*
 * An object of more than 4 GiB. Source and destination are a small piece of memory that is mapped
 * many times in sequence, so that only the pool needs 4.1 GiB of /dev/shm.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit.h"
#include "programs.h"
#include "scene.h"

#define PIECE (64 * MIB)
#define PIECES 65u
#define HUGE_BYTES (PIECE * PIECES - 12345)

static char *map_repeatedly(void) {
  int descriptor = memfd_create("piece", MFD_CLOEXEC);
  CHECK(descriptor >= 0 && ftruncate(descriptor, (off_t)PIECE) == 0);
  char *base = mmap(NULL, PIECE * PIECES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
  CHECK(base != MAP_FAILED);
  for (uint64_t i = 0; i < PIECES; i++) {
    CHECK(mmap(base + i * PIECE, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor,
               0) != MAP_FAILED);
  }
  close(descriptor);
  return base;
}

int run_huge(int count, char **arguments) {
  (void)count;
  (void)arguments;
  char *source = map_repeatedly();
  char *destination = map_repeatedly();
  fill(source, PIECE, 1);
  scene_begin(HUGE_BYTES + MIB);
  CHECK_CODE(init_client(), MMC_OK);
  int64_t start_ms = now_ms();
  CHECK_CODE(put_bytes("huge", source, HUGE_BYTES), MMC_OK);
  int64_t put_ms = now_ms() - start_ms;
  CHECK(query("huge").size == HUGE_BYTES);
  CHECK_CODE(get_bytes("huge", destination, HUGE_BYTES - 1), MMC_ERROR);
  start_ms = now_ms();
  CHECK_CODE(get_bytes("huge", destination, HUGE_BYTES), MMC_OK);
  CHECK(is_filled(destination, PIECE, 1));
  printf("huge: put in %lld ms, got in %lld ms\n", (long long)put_ms,
         (long long)(now_ms() - start_ms));
  audit_pool();
  CHECK_CODE(mmcc_remove("huge", 0), MMC_OK);
  audit_pool();
  mmc_uninit();
  scene_end();
  puts("huge: ok");
  return 0;
}
