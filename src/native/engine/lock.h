/* Locks in shared memory that survive a killed owner and bound the wait for a stopped one. */
#ifndef MCG_LOCK_H
#define MCG_LOCK_H

#include <stdbool.h>

#include "layout.h"

enum lock_result {
  LOCK_TAKEN,
  LOCK_INHERITED, /* taken from a dead owner: rebuild what it protects before use */
  LOCK_TIMED_OUT
};

/* Waits at most *budget_ns, and takes off what it waited. */
enum lock_result lock_acquire(struct lock *lock, int64_t *budget_ns);
void lock_release(struct lock *lock);

/* For locks whose owner leaves nothing to rebuild: frees it from an owner in the mask. */
bool lock_settle(struct lock *lock, uint64_t owners, int64_t *budget_ns);
bool lock_is_owned_by(const struct lock *lock, uint64_t owners);

#endif
