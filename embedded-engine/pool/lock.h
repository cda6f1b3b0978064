/* Locks in shared memory. They survive a killed owner and limit the wait for a stopped one. */
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
 * Waits at most *budget_ns and subtracts the time waited. After a timeout the budget is 0, so that a
 * call which has given up on one lock does not wait for another. In each process, one thread at a
 * time waits that long for a lock of another process. The others give up after 100 ms, or after 1 ms
 * once that thread has waited in vain. All give up at once if the pool is destroyed.
 */
enum lock_result lock_acquire(struct lock *lock, int64_t *budget_ns);

/* Limits all later waits of the calling thread: `lock_budget` returns at most the limit. */
void lock_limit_waits(int64_t limit_ns);
int64_t lock_budget(int64_t wanted_ns);

/* For a forked child, which has none of the waiting threads. */
void lock_forget_waits(void);
void lock_release(struct lock *lock);

/* Releases a lock whose owner is in the mask; for locks that protect nothing that must be rebuilt. */
bool lock_settle(struct lock *lock, uint64_t owners, int64_t *budget_ns);
bool lock_is_owned_by(const struct lock *lock, uint64_t owners);

#endif
