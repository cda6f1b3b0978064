/* The thread that notices deaths, sweeps after them and evicts; one in each client. */
#ifndef MCG_WATCH_H
#define MCG_WATCH_H

#include <stdbool.h>

/* Calls `on_destroyed` once, on the thread itself, when the header of the pool is destroyed. */
bool watch_start(void (*on_destroyed)(const char *how));
void watch_stop(void);
void watch_wake_to_evict(void);

#endif
