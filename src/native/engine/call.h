/*
 * One call of the ABI in progress. Its index names a pin of this client in shared memory, so
 * that others see what it reads, and its budget bounds the time it may wait for locks: one
 * second for the whole call, however many keys a batch has, and less on a thread whose waits are
 * limited (lock.h).
 */
#ifndef MCG_CALL_H
#define MCG_CALL_H

#include <stdbool.h>
#include <stdint.h>

#define CALL_SLOTS 128u
#define CALL_WAIT_BUDGET_NS 1000000000ll

struct call {
  uint32_t index;
  int64_t wait_budget_ns;
};

/* False before init, after uninit and on a destroyed pool; else pairs with call_end. */
bool call_begin(struct call *call);

/* Answers `code`, or MMC_CLIENT_NOT_INITIALIZED where the pool was destroyed during the call. */
int32_t call_end(const struct call *call, int32_t code);

/* Lets calls in, or shuts them out and returns when the last one has left. */
void calls_open(void);
void calls_close(void);
bool calls_are_open(void);
void calls_forget(void); /* in a forked child: those in progress were other threads' */

#endif
