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

/*
 * Waits at most *budget_ns, and takes off what it waited; a time-out leaves 0, so that a call
 * which has given up on one lock waits for no other. Of the threads of a process, one at a time
 * waits that long for a lock that another process keeps. The others give up after 100 ms, or
 * after 1 ms once that one has waited in vain. All give up at once on a pool that is destroyed.
 */
enum lock_result lock_acquire(struct lock *lock, int64_t *budget_ns);

/* Bounds all later waits of the calling thread: `lock_budget` answers no more than the limit. */
void lock_limit_waits(int64_t limit_ns);
int64_t lock_budget(int64_t wanted_ns);

/* For a forked child, which has none of the threads that wait. */
void lock_forget_waits(void);
void lock_release(struct lock *lock);

/* For locks whose owner leaves nothing to rebuild: frees it from an owner in the mask. */
bool lock_settle(struct lock *lock, uint64_t owners, int64_t *budget_ns);
bool lock_is_owned_by(const struct lock *lock, uint64_t owners);

#endif
