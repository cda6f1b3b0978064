/*
 * Shared memory of clients, mapped into a worker. A client may truncate its memory while a thread of the
 * worker or of the engine copies, and the kernel then sends SIGBUS to that thread. The handler of this
 * library maps zero pages over the missing ones, marks the region as broken and lets the copy end.
 */
#ifndef MCG_REGIONS_H
#define MCG_REGIONS_H

#include <stdint.h>

/* Regions of one process at the same time. */
#define MCG_MAX_REGIONS 1024

/* Bytes that are copied from one address to another; the two ranges do not overlap. */
struct mcg_piece {
  uint64_t to;
  uint64_t from;
  uint64_t bytes;
};

/* Installs the handler, once for the process. Returns 0 or a negative errno. */
int mcg_regions_install(void);

/*
 * Whether a fault on the calling thread reaches the handler: 0, or -EPERM if the thread blocks SIGBUS, or
 * -ENOENT if another handler is installed. The kernel ends a process whose thread faults and blocks SIGBUS.
 */
int mcg_regions_check(void);

/*
 * Maps `bytes` bytes of a file from `offset` on, for reading and writing, and stores the address of the first
 * of them. Returns the number of the region or a negative errno. The file may have fewer bytes.
 */
int mcg_region_map(int descriptor, uint64_t offset, uint64_t bytes, uint64_t *address);

/* Whether a page of the region was missing when a thread used it: 1 or 0; -EINVAL for no region. */
int mcg_region_broken(int region);

/*
 * Unmaps the region. No thread may use its memory any more: the kernel gives its addresses to the next
 * mapping. Returns 0 or a negative errno.
 */
int mcg_region_unmap(int region);

/* Regions that are mapped now. */
int mcg_regions_count(void);

/* Copies the pieces in order. Returns 0. */
int mcg_regions_copy(const struct mcg_piece *pieces, uint64_t count);

#endif
