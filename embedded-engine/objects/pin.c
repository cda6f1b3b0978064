/*
 * Each client has an array of pins. After its death the array is cleared; a counter in the entry
 * could not be corrected.
 *
 * A reader clears its pin and then checks whether the entry is doomed. A remover dooms the entry and
 * then checks for pins. Both use sequentially consistent order, so at least one sees the other, and
 * the space is released exactly once (reclaim.c).
 */
#include "pin.h"

#include "reclaim.h"

static struct pin *own_pin(const struct call *call) {
  return &pool_self()->pins[call->index];
}

static void widen_used(uint32_t index) {
  _Atomic uint32_t *used = &pool_self()->pins_used;
  uint32_t seen = atomic_load_explicit(used, memory_order_relaxed);
  while (seen <= index && !atomic_compare_exchange_weak(used, &seen, index + 1)) continue;
}

void pin_set(const struct call *call, const struct entry *entry, uint64_t services) {
  struct pin *pin = own_pin(call);
  widen_used(call->index);
  atomic_store_explicit(&pin->services, services, memory_order_release);
  atomic_store_explicit(&pin->entry, entry_index(entry) + 1, memory_order_release);
}

void pin_add_service(const struct call *call, uint32_t service) {
  atomic_fetch_or(&own_pin(call)->services, service_bit(service));
}

void pin_clear(const struct call *call, struct entry *entry) {
  struct pin *pin = own_pin(call);
  atomic_store(&pin->entry, 0);
  if (entry_state_of(atomic_load(&entry->state)) == ENTRY_DOOMED) reclaim_entry(entry);
  atomic_store_explicit(&pin->services, 0, memory_order_release);
}

bool pin_is_set(const struct entry *entry) {
  uint32_t wanted = entry_index(entry) + 1;
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    struct client *client = pool_client(slot);
    if (client_state_of(atomic_load(&client->state)) == CLIENT_FREE) continue;
    uint32_t used = pool_pins_used(client);
    for (uint32_t i = 0; i < used; i++) {
      if (atomic_load(&client->pins[i].entry) == wanted) return true;
    }
  }
  return false;
}

uint64_t pin_services_in_use(void) {
  uint64_t mask = 0;
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    struct client *client = pool_client(slot);
    if (client_state_of(atomic_load(&client->state)) == CLIENT_FREE) continue;
    uint32_t used = pool_pins_used(client);
    for (uint32_t i = 0; i < used; i++) mask |= atomic_load(&client->pins[i].services);
  }
  return mask;
}

void pin_clear_all(struct client *client) {
  for (uint32_t i = 0; i < CALL_SLOTS; i++) {
    atomic_store(&client->pins[i].entry, 0);
    atomic_store(&client->pins[i].services, 0);
  }
}
