/*
 * Each call claims one of a fixed number of slots, each on its own cache line. A shared counter
 * would move between the cores at every call.
 */
#include "call.h"

#include <sched.h>
#include <stdatomic.h>

#include "lock.h"
#include "pool.h"

struct slot {
  _Alignas(128) atomic_bool busy;
};

static struct slot slots[CALL_SLOTS];
static atomic_bool open_for_calls;
static _Thread_local uint32_t last_index;

static uint32_t claim_slot(void) {
  for (uint32_t index = last_index;; index = (index + 1) % CALL_SLOTS) {
    if (!atomic_load_explicit(&slots[index].busy, memory_order_relaxed) &&
        !atomic_exchange(&slots[index].busy, true)) {
      return index;
    }
    if ((index + 1) % CALL_SLOTS == last_index) sched_yield();
  }
}

static void release_slot(uint32_t index) {
  atomic_store_explicit(&slots[index].busy, false, memory_order_release);
}

bool call_begin(struct call *call) {
  call->index = claim_slot();
  call->wait_budget_ns = lock_budget(CALL_WAIT_BUDGET_NS);
  last_index = call->index;
  if (atomic_load(&open_for_calls) && pool_is_intact()) return true;
  release_slot(call->index);
  return false;
}

/* A call must not return results from a pool that was destroyed during the call: they may be garbage. */
int32_t call_end(const struct call *call, int32_t code) {
  bool intact = pool_is_intact();
  release_slot(call->index);
  return intact ? code : MMC_CLIENT_NOT_INIT;
}

void calls_open(void) {
  atomic_store(&open_for_calls, true);
}

void calls_close(void) {
  atomic_store(&open_for_calls, false);
  for (uint32_t index = 0; index < CALL_SLOTS; index++) {
    while (atomic_load(&slots[index].busy)) sched_yield();
  }
}

bool calls_are_open(void) {
  return atomic_load(&open_for_calls);
}

void calls_forget(void) {
  atomic_store(&open_for_calls, false);
  for (uint32_t index = 0; index < CALL_SLOTS; index++) atomic_store(&slots[index].busy, false);
}
