/*
 * Memory is touched in advance: this process has mapped the pages before the first put that needs
 * them. Checked with the kernel's page map and the page faults of a put.
 */
#include "touch.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "entry.h"
#include "pool.h"
#include "programs.h"
#include "scene.h"
#include "segment.h"

#define PRESENT (1ull << 63)
#define HUGE_PAGE (2 * MIB) /* may extend beyond the end of a window */
#define WINDOW_BYTES (TOUCH_AHEAD_GROUPS * GROUP_BYTES)
#define TABLE_WINDOW_BYTES (TOUCH_AHEAD_CHUNKS * CHUNK_BYTES)

static uint64_t page_bytes(void) {
  return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Pages that a range touches and that this process has mapped. */
static uint64_t mapped_pages(const char *start, const char *end) {
  static uint64_t flags[4096];
  uint64_t page = (uint64_t)(uintptr_t)start / page_bytes(), mapped = 0;
  uint64_t left = ((uint64_t)(uintptr_t)end - 1) / page_bytes() - page + 1;
  int descriptor = open("/proc/self/pagemap", O_RDONLY);
  CHECK(descriptor >= 0);
  while (left > 0) {
    size_t count = left < 4096 ? left : 4096, bytes = count * sizeof *flags;
    off_t offset = (off_t)(page * sizeof *flags);
    CHECK(pread(descriptor, flags, bytes, offset) == (ssize_t)bytes);
    for (size_t i = 0; i < count; i++) mapped += (flags[i] & PRESENT) != 0;
    page += count;
    left -= count;
  }
  close(descriptor);
  return mapped;
}

static bool all_mapped(const char *start, uint64_t bytes) {
  return mapped_pages(start, start + bytes) == bytes / page_bytes();
}

static uint64_t faults_of_this_thread(void) {
  struct rusage usage;
  CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
  return (uint64_t)usage.ru_minflt;
}

static struct segment_view own_segment(void) {
  struct segment_view view;
  CHECK(segment_view(pool.self, &view));
  return view;
}

static void memory_is_mapped_before_it_is_used_and_no_further_than_the_window(void) {
  scene_begin(2 * WINDOW_BYTES);
  CHECK_CODE(init_client(), MMC_OK);
  struct segment_view view = own_segment();
  UNTIL(all_mapped(view.data, WINDOW_BYTES));
  CHECK(atomic_load(&view.segment->backed_groups) == TOUCH_AHEAD_GROUPS);
  CHECK(mapped_pages(view.data + WINDOW_BYTES + HUGE_PAGE, view.data + 2 * WINDOW_BYTES) == 0);

  fill(scene.shared, BIG, 1);
  uint64_t before = faults_of_this_thread();
  CHECK_CODE(put_bytes("big", scene.shared, BIG), MMC_OK);
  CHECK(faults_of_this_thread() - before < BIG / page_bytes() / 100);
  UNTIL(all_mapped(view.data, BIG + WINDOW_BYTES));
  CHECK(atomic_load(&view.segment->backed_groups) == BIG / GROUP_BYTES + TOUCH_AHEAD_GROUPS);
  mmc_uninit();
  scene_end();
}

static void a_contribution_smaller_than_the_window_is_mapped_whole(void) {
  uint64_t bytes = 3 * GROUP_BYTES + PAGE_BYTES;
  scene_begin(bytes);
  CHECK_CODE(init_client(), MMC_OK);
  UNTIL(all_mapped(own_segment().data, bytes));
  mmc_uninit();
  scene_end();
}

static void the_entry_table_is_mapped_ahead_too(void) {
  enum { OBJECTS = 20000 };
  scene_begin(WINDOW_BYTES);
  CHECK_CODE(init_client(), MMC_OK);
  const char *table = (const char *)pool.entries;
  UNTIL(all_mapped(table, TABLE_WINDOW_BYTES));
  CHECK(mapped_pages(table + TABLE_WINDOW_BYTES + HUGE_PAGE, table + 2 * TABLE_WINDOW_BYTES) == 0);
  for (int i = 0; i < OBJECTS; i++) {
    char key[24];
    snprintf(key, sizeof key, "small/%d", i);
    CHECK_CODE(put_bytes(key, "x", 1), MMC_OK);
  }
  uint64_t used = atomic_load(&pool.header->chunk_count) * CHUNK_BYTES;
  CHECK(used >= OBJECTS * sizeof(struct entry));
  UNTIL(mapped_pages(table + used, table + used + TABLE_WINDOW_BYTES) >=
        TABLE_WINDOW_BYTES / page_bytes());
  mmc_uninit();
  scene_end();
}

int run_touch(int count, char **arguments) {
  (void)count;
  (void)arguments;
  memory_is_mapped_before_it_is_used_and_no_further_than_the_window();
  a_contribution_smaller_than_the_window_is_mapped_whole();
  the_entry_table_is_mapped_ahead_too();
  puts("touch: ok");
  return 0;
}
