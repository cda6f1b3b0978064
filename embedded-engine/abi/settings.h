/* The environment variables of the embedded engine, checked. */
#ifndef MCG_SETTINGS_H
#define MCG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* MMC_EMBEDDED_POOL as a name for shm_open; without it, a name that is private to this process. */
bool settings_read_pool_name(char *name, size_t room);

/*
 * MMC_EMBEDDED_EVICT: `size`, the default, evicts for a put that does not fit; `threshold` evicts only
 * above 90 % use, as the distributed engine does.
 */
bool settings_read_eviction(bool *for_size);

/* MMC_EMBEDDED_BYTES, a plain decimal number; 1 GiB when it is not set. */
bool settings_read_bytes(uint64_t *bytes);

#endif
