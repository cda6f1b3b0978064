/* The rows of docs/engine-facts.md §6 about batches, for a client that has joined an empty pool. */
#ifndef MCG_TEST_BATCHES_H
#define MCG_TEST_BATCHES_H

void check_batches(void);

#endif
