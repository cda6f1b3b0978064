/* Removes the objects of dead clients and releases their memory. */
#ifndef MCG_SWEEP_H
#define MCG_SWEEP_H

#include "entry.h"

/* Like shard_find, but removes an object that was lost with a dead client and returns NULL. */
struct entry *sweep_find(uint32_t shard, uint64_t hash, const struct key *key);

/* True if nothing is left to do: no slot of a dead client and no doomed entry remains. */
bool sweep_run(void);

/* Sweeps the caller itself before it leaves. No call may be in progress. */
void sweep_self(void);

#endif
