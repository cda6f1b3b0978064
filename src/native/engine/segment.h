/* The memory one client contributes: where it is mapped here, and how much of it is backed. */
#ifndef MCG_SEGMENT_H
#define MCG_SEGMENT_H

#include "bitmap.h"
#include "entry.h"

struct segment_view {
  struct segment *segment;
  struct bitmap bitmap;
  char *data;
  uint64_t bytes; /* of data and its groups, as they were mapped: `segment` may be destroyed */
  uint64_t groups;
  uint64_t file_offset; /* of the data */
};

/* Where the header says that a segment lies in the file, once that was found to be possible. */
struct segment_range {
  uint64_t file_offset;
  uint64_t bytes;      /* the contribution */
  uint64_t left_bytes; /* of the range; fewer while a dead client's memory is returned */
};

enum range_result {
  RANGE_READ,
  RANGE_NONE,   /* no memory, or the slot changes hands just now */
  RANGE_DAMAGED /* another program overwrote the header; the pool is condemned */
};

enum range_result segment_read_range(uint32_t slot, struct segment_range *range);

/* Bytes of the pool's file that a contribution of so many bytes takes, summaries included. */
uint64_t segment_file_bytes(uint64_t bytes);

/* Makes an empty segment of this range of the file; before its client is live. */
bool segment_format(uint32_t service, uint64_t file_offset, uint64_t bytes);

/* Valid as long as the caller pins the service, or is its client. */
bool segment_view(uint32_t service, struct segment_view *view);
void segment_unmap_all(void);
void segment_forget_all(void); /* in a forked child, which has none of the mappings */

/* Gets memory from the kernel for `groups` more; false when there was none to get. */
bool segment_grow(const struct segment_view *view, uint64_t groups, int64_t *budget_ns);

/* Whether these granules lie within what the segment has obtained from the kernel. */
bool segment_holds(const struct segment_view *view, uint64_t start, uint64_t granules);

/*
 * The address of so many bytes of one replica of an entry whose service is pinned; NULL if it
 * cannot be mapped, or does not lie in the segment.
 */
char *segment_address(uint64_t replica, uint64_t bytes);

#endif
