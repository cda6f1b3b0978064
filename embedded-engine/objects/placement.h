/* Chooses the services that hold the replicas of an object. */
#ifndef MCG_PLACEMENT_H
#define MCG_PLACEMENT_H

#include "call.h"
#include "entry.h"

struct placement {
  uint32_t replicas;
  bool forced;
  uint32_t preferred[MMC_MAX_REPLICAS]; /* as many as replicas, if forced */
};

/* MMC_ERROR if the live services cannot satisfy the options (docs/engine-facts.md §4). */
int32_t placement_read(const mmc_put_options *options, struct placement *placement);

/*
 * The services in whose memory room should be made for `size` bytes, as a mask: the preferred ones, or
 * the first in the order of allocation that could hold as much if they were empty. 0 if they are fewer
 * than the replicas.
 */
uint64_t placement_candidates(const struct placement *placement, uint64_t size);

/* Allocates space for all replicas or for none. MMC_ERROR: no space. MCG_LOCK_TIMEOUT: a lock. */
int32_t placement_take(struct call *call, struct entry *entry, const struct placement *placement);

#endif
