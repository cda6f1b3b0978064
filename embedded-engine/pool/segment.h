/* The memory that one client contributes: its mapping in this process, and its allocated part. */
#ifndef MCG_SEGMENT_H
#define MCG_SEGMENT_H

#include "bitmap.h"
#include "entry.h"

struct segment_view {
  struct segment *segment;
  struct bitmap bitmap;
  char *data;
  uint64_t bytes; /* size of the data when it was mapped: `segment` may be destroyed later */
  uint64_t groups;
  uint64_t file_offset; /* of the data */
};

/* The position of a segment in the file according to the header, checked against its limits. */
struct segment_range {
  uint64_t file_offset;
  uint64_t bytes;      /* the contribution */
  uint64_t left_bytes; /* of the range; less while the memory of a dead client is being returned */
};

enum range_result {
  RANGE_READ,
  RANGE_NONE,   /* no memory, or the owner of the slot is changing */
  RANGE_DAMAGED /* another program has overwritten the header; the pool is condemned */
};

enum range_result segment_read_range(uint32_t slot, struct segment_range *range);

/* Bytes of the pool's file that a contribution of `bytes` needs, including summaries. */
uint64_t segment_file_bytes(uint64_t bytes);

/* Creates an empty segment in this range of the file. Call it before the client is live. */
bool segment_format(uint32_t service, uint64_t file_offset, uint64_t bytes);

/* The view is valid as long as the caller pins the service or is its client. */
bool segment_view(uint32_t service, struct segment_view *view);
void segment_unmap_all(void);
void segment_forget_all(void); /* in a forked child, which has none of the mappings */

/* Allocates memory from the kernel for `groups` more groups; false if there is none. */
bool segment_grow(const struct segment_view *view, uint64_t groups, int64_t *budget_ns);

/* Whether these granules are within the allocated part of the segment. */
bool segment_holds(const struct segment_view *view, uint64_t start, uint64_t granules);

/*
 * The address of `bytes` bytes of a replica. The service of the replica must be pinned. NULL if the
 * segment cannot be mapped or does not contain these bytes.
 */
char *segment_address(uint64_t replica, uint64_t bytes);

#endif
