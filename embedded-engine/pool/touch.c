/*
 * The first write to a page costs a page fault and a cleared page, seven times the copy itself. So a
 * thread allocates and maps a window above the used part, while /dev/shm has enough free space. With
 * a window, an idle pool does not take all its memory, and a busy one rarely meets an unmapped page.
 * The steps are small, because a put that needs memory at the same time waits for the same lock. The
 * priority is normal; otherwise a thread that gets no processor time would delay the put too.
 */
#include "touch.h"

#include "backing.h"
#include "segment.h"
#include "ticker.h"

#define STEP_GROUPS 2u
#define GROW_GROUPS 4u
#define BUSY_MS 20u
#define IDLE_MS 100u
#define GROW_BUDGET_NS 100000000ll

static struct ticker ticker = TICKER_INITIALIZER;
static uint64_t touched_groups;
static uint64_t touched_chunks;

static uint64_t smaller(uint64_t left, uint64_t right) {
  return left < right ? left : right;
}

static bool touch_step(const struct segment_view *view, uint64_t target) {
  struct segment *segment = view->segment;
  int64_t budget_ns = GROW_BUDGET_NS;
  uint64_t backed = atomic_load(&segment->backed_groups);
  if (backed <= touched_groups) {
    if (!backing_is_plentiful(pool.descriptor) ||
        !segment_grow(view, smaller(GROW_GROUPS, target - backed), &budget_ns)) {
      return false;
    }
    backed = atomic_load(&segment->backed_groups);
  }
  uint64_t end_group = smaller(smaller(touched_groups + STEP_GROUPS, backed), target);
  uint64_t start = touched_groups * GROUP_BYTES;
  uint64_t end = smaller(end_group * GROUP_BYTES, ROUND_UP(view->bytes, PAGE_BYTES));
  if (end <= start) return false; /* the header was destroyed */
  backing_touch(view->data + start, end - start);
  touched_groups = end_group;
  return true;
}

/* Small objects fill the entry table as fast as the memory. */
static void touch_entries(void) {
  uint64_t count = entry_chunks();
  uint64_t target = smaller(count + TOUCH_AHEAD_CHUNKS, entry_chunk_limit());
  if (touched_chunks < count) touched_chunks = count;
  if (touched_chunks >= target || !backing_is_plentiful(pool.descriptor)) return;
  uint64_t start = touched_chunks * CHUNK_BYTES;
  uint64_t bytes = target * CHUNK_BYTES - start;
  if (!backing_obtain(pool.descriptor, ENTRIES_OFFSET + start, bytes)) return;
  uint64_t page_start = start / PAGE_BYTES * PAGE_BYTES;
  backing_touch((char *)pool.entries + page_start, start + bytes - page_start);
  touched_chunks = target;
}

static unsigned touch_once(void) {
  touch_entries();
  struct segment_view view;
  if (!segment_view(pool.self, &view)) return IDLE_MS;
  uint64_t top = smaller(atomic_load(&view.segment->top_group), view.groups);
  uint64_t target = smaller(top + TOUCH_AHEAD_GROUPS, view.groups);
  if (touched_groups >= target) return IDLE_MS;
  while (touched_groups < target && !atomic_load(&ticker.stopping)) {
    if (!touch_step(&view, target)) return IDLE_MS;
  }
  return BUSY_MS;
}

bool touch_start(void) {
  touched_groups = 0;
  touched_chunks = 0;
  return ticker_start(&ticker, "mcg-touch", touch_once);
}

void touch_stop(void) {
  ticker_stop(&ticker);
}
