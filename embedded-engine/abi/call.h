/*
 * One ABI call in progress. Its index names a pin of this client in shared memory, which shows the
 * other clients what the call reads. Its budget limits the time that the whole call, a batch
 * included, may wait for locks: one second, or less on a thread whose waits are limited (lock.h).
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

/* False before init, after uninit and on a destroyed pool; otherwise call_end must follow. */
bool call_begin(struct call *call);

/* Returns `code`, or MMC_CLIENT_NOT_INIT if the pool was destroyed during the call. */
int32_t call_end(const struct call *call, int32_t code);

/* calls_open allows calls. calls_close refuses new calls and returns when the last one has ended. */
void calls_open(void);
void calls_close(void);
bool calls_are_open(void);
void calls_forget(void); /* in a forked child, which has none of the threads with calls in progress */

#endif
