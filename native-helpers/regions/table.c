#include "table.h"

#include <stdatomic.h>

#include "regions.h"

struct slot {
  _Atomic uint32_t sequence; /* odd while the slot changes */
  _Atomic uintptr_t start;   /* 0: no region */
  _Atomic uintptr_t end;
  atomic_bool is_broken;
};

static struct slot slots[MCG_MAX_REGIONS];
/* Slots from here on have never had a region. */
static atomic_int used;

static bool is_slot(int slot) { return slot >= 0 && slot < MCG_MAX_REGIONS; }

static void change(struct slot *slot, uintptr_t start, uintptr_t end) {
  atomic_fetch_add(&slot->sequence, 1);
  atomic_store(&slot->start, start);
  atomic_store(&slot->end, end);
  atomic_store(&slot->is_broken, false);
  atomic_fetch_add(&slot->sequence, 1);
}

void table_set(int slot, uintptr_t start, size_t length) {
  change(&slots[slot], start, start + length);
  if (slot >= atomic_load(&used)) atomic_store(&used, slot + 1);
}

void table_clear(int slot) { change(&slots[slot], 0, 0); }

void table_range(int slot, uintptr_t *start, size_t *length) {
  *start = atomic_load(&slots[slot].start);
  *length = atomic_load(&slots[slot].end) - *start;
}

bool table_has(int slot) { return is_slot(slot) && atomic_load(&slots[slot].start) != 0; }

bool table_is_broken(int slot) { return is_slot(slot) && atomic_load(&slots[slot].is_broken); }

bool table_break(uintptr_t address, uintptr_t *end) {
  const int count = atomic_load(&used);
  for (int i = 0; i < count; i++) {
    struct slot *slot = &slots[i];
    const uint32_t sequence = atomic_load(&slot->sequence);
    const uintptr_t start = atomic_load(&slot->start);
    const uintptr_t last = atomic_load(&slot->end);
    if (address < start || address >= last) continue;
    /* The region of the address does not change. One that changes holds a mixture of two regions. */
    if (sequence % 2 != 0 || atomic_load(&slot->sequence) != sequence) continue;
    atomic_store(&slot->is_broken, true);
    *end = last;
    return true;
  }
  return false;
}
