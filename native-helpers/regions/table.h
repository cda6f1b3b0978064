/* Where the regions are. The functions that a signal handler calls take no lock and do not wait. */
#ifndef MCG_REGIONS_TABLE_H
#define MCG_REGIONS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thread at a time may call these three. `length` is a multiple of the page size. */
void table_set(int slot, uintptr_t start, size_t length);
void table_clear(int slot);
void table_range(int slot, uintptr_t *start, size_t *length);

/* False also for a number that is no slot. */
bool table_has(int slot);
bool table_is_broken(int slot);

/*
 * Marks the region around an address as broken, and stores where it ends. False when the address is in no
 * region. A region that holds the address must not change during the call. Safe in a signal handler.
 */
bool table_break(uintptr_t address, uintptr_t *end);

#endif
