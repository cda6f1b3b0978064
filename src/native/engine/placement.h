/* In whose memory an object's replicas go. */
#ifndef MCG_PLACEMENT_H
#define MCG_PLACEMENT_H

#include "call.h"
#include "entry.h"

struct placement {
  uint32_t replicas;
  bool forced;
  uint32_t preferred[MMC_MAX_REPLICAS]; /* as many as replicas, if forced */
};

/* MMC_ERROR for what the live services cannot meet (engine.md §2). */
int32_t placement_read(const mmc_put_options *options, struct placement *placement);

/* Takes space for all replicas or for none: MMC_ERROR without room, MMC_LOCK_TIMEOUT. */
int32_t placement_take(struct call *call, struct entry *entry, const struct placement *placement);

#endif
