/* Allocates and releases space for a replica in one segment, under the segment's lock. */
#ifndef MCG_SPACE_H
#define MCG_SPACE_H

#include "entry.h"

enum space_result { SPACE_TAKEN, SPACE_NONE, SPACE_TIMED_OUT };

/* Allocates space for replica `index` of a reserved entry. The service must be pinned. */
enum space_result space_take(struct entry *entry, uint32_t index, uint32_t service,
                             int64_t *budget_ns);

/* False after a timeout; the entry then still has the replica. */
bool space_give_back(struct entry *entry, uint32_t index, int64_t *budget_ns);

/*
 * Takes the locks of a live segment from dead owners. Call it before their slots are reused;
 * otherwise the new client of the slot seems to own the lock.
 */
bool space_settle(uint32_t service, uint64_t dead, int64_t *budget_ns);

/* Ends allocation in a dead client's segment. */
bool space_close(uint32_t service, int64_t *budget_ns);

#endif
