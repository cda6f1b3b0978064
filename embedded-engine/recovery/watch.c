/*
 * Every client checks all others every 20 ms. So any remaining client notices a death within 50 ms,
 * and no single client has a duty that would end with it.
 */
#include "watch.h"

#include "evict.h"
#include "liveness.h"
#include "pool.h"
#include "pool_file.h"
#include "sweep.h"
#include "ticker.h"

#define TICK_MS 20
#define RETRY_TICKS 4 /* ticks until the next sweep after one that a stopped client has blocked */
#define EVICT_BUDGET_NS 1000000000ll

static struct ticker ticker = TICKER_INITIALIZER;
static atomic_bool eviction_wanted;
static unsigned ticks_to_retry;
static uint64_t known_dead;
static void (*destroyed)(const char *how); /* NULL after it was called */

static uint64_t find_dead(void) {
  uint64_t dead = 0;
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    enum client_state state = client_state_of(atomic_load(&pool_client(slot)->state));
    if (state != CLIENT_FREE && liveness_is_dead(slot)) dead |= service_bit(slot);
  }
  return dead;
}

static void sweep_if_needed(void) {
  uint64_t dead = find_dead();
  bool news = (dead & ~known_dead) != 0;
  known_dead = dead;
  if (dead == 0 && atomic_load(&pool.header->reap_requested) == 0) return;
  if (!news && ticks_to_retry > 0) {
    ticks_to_retry--;
    return;
  }
  bool done = sweep_run();
  ticks_to_retry = done ? 0 : RETRY_TICKS;
  if (done) known_dead = 0; /* a new client of the slot may die before the next tick */
}

/*
 * One pass may not be enough, because puts can fill the pool far beyond the limit. But a pass that frees
 * nothing, because a stopped client holds the locks of the space, is not repeated: each pass would evict
 * more objects for nothing.
 */
static void evict(void) {
  uint64_t before = pool_measure_use().used_bytes;
  int64_t budget_ns = EVICT_BUDGET_NS;
  bool evicted = evict_now(&budget_ns) && pool_measure_use().used_bytes < before;
  if (evicted && evict_is_due()) evict_request();
}

/* After it has returned true, this thread must not touch the pool. */
static bool is_destroyed(void) {
  if (destroyed == NULL) return true;
  const char *how = pool_file_damage();
  if (how == NULL) return false;
  destroyed(how);
  destroyed = NULL;
  return true;
}

static unsigned watch_once(void) {
  if (is_destroyed()) return TICK_MS;
  sweep_if_needed();
  if (atomic_exchange(&eviction_wanted, false)) evict();
  return TICK_MS;
}

bool watch_start(void (*on_destroyed)(const char *how)) {
  destroyed = on_destroyed;
  ticks_to_retry = 0;
  known_dead = 0;
  return ticker_start(&ticker, "mcg-watch", watch_once);
}

void watch_stop(void) {
  ticker_stop(&ticker);
}

/* Only the first of several callers wakes the thread. */
void watch_wake_to_evict(void) {
  if (atomic_load_explicit(&eviction_wanted, memory_order_relaxed)) return;
  if (!atomic_exchange(&eviction_wanted, true)) ticker_wake(&ticker);
}
