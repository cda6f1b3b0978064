/* What a dead client leaves: found, taken out of sight, and given back. */
#ifndef MCG_SWEEP_H
#define MCG_SWEEP_H

#include "entry.h"

/* shard_find, except that an object which died with a client is not there any more. */
struct entry *sweep_find(uint32_t shard, uint64_t hash, const struct key *key);

/* True when nothing is left to do: all dead clients are gone, and no space waits to be reaped. */
bool sweep_run(void);

/* For a client about to leave, with no calls in progress: its own death, in good order. */
void sweep_self(void);

#endif
