/*
 * As in the distributed engine, preferred services are mandatory: if one has no space, nothing is
 * stored. Without preferred services, the memory of this client is first and the others follow.
 */
#include "placement.h"

#include "pin.h"
#include "space.h"

static uint32_t read_preferred(const mmc_put_options *options, struct placement *placement) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    int32_t id = options->preferredLocalServiceIDs[i];
    if (id != MMC_NO_PREFERENCE) placement->preferred[count++] = (uint32_t)id;
  }
  return count;
}

static bool are_distinct_and_live(const struct placement *placement, uint32_t count) {
  uint64_t left = pool_live_services();
  for (uint32_t i = 0; i < count; i++) {
    if (placement->preferred[i] >= CLIENT_SLOTS) return false;
    uint64_t bit = service_bit(placement->preferred[i]);
    if (!(left & bit)) return false;
    left &= ~bit;
  }
  return true;
}

int32_t placement_read(const mmc_put_options *options, struct placement *placement) {
  uint32_t live = (uint32_t)__builtin_popcountll(pool_live_services());
  placement->replicas = options->replicaNum == 0 ? 1 : options->replicaNum;
  if (placement->replicas > MMC_MAX_REPLICAS || placement->replicas > live) return MMC_ERROR;
  uint32_t preferred = read_preferred(options, placement);
  placement->forced = preferred > 0;
  if (!placement->forced) return MMC_OK;
  if (preferred != placement->replicas) return MMC_ERROR;
  return are_distinct_and_live(placement, preferred) ? MMC_OK : MMC_ERROR;
}

uint64_t placement_candidates(const struct placement *placement, uint64_t size) {
  uint64_t allowed = pool_live_services();
  if (placement->forced) {
    uint64_t preferred = 0;
    for (uint32_t i = 0; i < placement->replicas; i++) {
      preferred |= service_bit(placement->preferred[i]);
    }
    allowed &= preferred;
  }
  uint64_t candidates = 0;
  uint32_t found = 0;
  for (uint32_t step = 0; step < CLIENT_SLOTS && found < placement->replicas; step++) {
    uint32_t service = (pool.self + step) % CLIENT_SLOTS;
    if (!(allowed & service_bit(service))) continue;
    if (granules_of(size) > pool_client(service)->segment.bytes / GRANULE_BYTES) continue;
    candidates |= service_bit(service);
    found++;
  }
  return found == placement->replicas ? candidates : 0;
}

static void give_back_all(struct call *call, struct entry *entry, uint32_t taken) {
  for (uint32_t i = 0; i < taken; i++) space_give_back(entry, i, &call->wait_budget_ns);
}

static enum space_result take_in(struct call *call, struct entry *entry, uint32_t index,
                                 uint32_t service) {
  pin_add_service(call, service);
  return space_take(entry, index, service, &call->wait_budget_ns);
}

static int32_t take_forced(struct call *call, struct entry *entry,
                           const struct placement *placement) {
  for (uint32_t i = 0; i < placement->replicas; i++) {
    enum space_result result = take_in(call, entry, i, placement->preferred[i]);
    if (result == SPACE_TAKEN) continue;
    give_back_all(call, entry, i);
    return result == SPACE_TIMED_OUT ? MCG_LOCK_TIMEOUT : MMC_ERROR;
  }
  return MMC_OK;
}

static int32_t take_anywhere(struct call *call, struct entry *entry,
                             const struct placement *placement) {
  uint32_t taken = 0;
  bool timed_out = false;
  uint64_t live = pool_live_services();
  for (uint32_t step = 0; step < CLIENT_SLOTS && taken < placement->replicas; step++) {
    uint32_t service = (pool.self + step) % CLIENT_SLOTS;
    if (!(live & service_bit(service))) continue;
    enum space_result result = take_in(call, entry, taken, service);
    if (result == SPACE_TAKEN) taken++;
    if (result == SPACE_TIMED_OUT) timed_out = true;
  }
  if (taken == placement->replicas) return MMC_OK;
  give_back_all(call, entry, taken);
  return timed_out ? MCG_LOCK_TIMEOUT : MMC_ERROR;
}

int32_t placement_take(struct call *call, struct entry *entry, const struct placement *placement) {
  return placement->forced ? take_forced(call, entry, placement)
                           : take_anywhere(call, entry, placement);
}
