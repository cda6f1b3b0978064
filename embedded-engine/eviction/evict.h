/* Evicts the least recently used objects to free space for new ones. */
#ifndef MCG_EVICT_H
#define MCG_EVICT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the use of the whole pool is above 90 %, in bytes or in entries. */
bool evict_is_due(void);

/* Requests eviction in the background (watch.c). */
void evict_request(void);

/*
 * Evicts the least recently used objects until those evicted have `granules` in the memory of these
 * services. It keeps objects that a call uses. False if it evicted nothing, or if the lock timed out.
 */
bool evict_for(uint64_t granules, uint64_t services, int64_t *budget_ns);

/* Evicts if it is due. False if it is not, or if the lock timed out. */
bool evict_now(int64_t *budget_ns);

#endif
