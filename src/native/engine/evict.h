/* Room for new objects at the cost of those longest unused. */
#ifndef MCG_EVICT_H
#define MCG_EVICT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether pool-wide use is above 90 %, of bytes or of entries. */
bool evict_is_due(void);

/* Has it done in the background (watch.c). */
void evict_request(void);

/* Evicts if it is due; false if it was not, or the lock could not be had in time. */
bool evict_now(int64_t *budget_ns);

#endif
