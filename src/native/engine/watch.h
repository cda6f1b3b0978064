/* The thread that notices deaths, sweeps after them and evicts; one in each client. */
#ifndef MCG_WATCH_H
#define MCG_WATCH_H

#include <stdbool.h>

bool watch_start(void);
void watch_stop(void);
void watch_wake_to_evict(void);

#endif
