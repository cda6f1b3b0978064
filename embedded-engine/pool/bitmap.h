/* The used granules of a segment. A summary of each group lets searches skip groups. */
#ifndef MCG_BITMAP_H
#define MCG_BITMAP_H

#include <stdbool.h>

#include "layout.h"

struct bitmap {
  uint64_t *words;                 /* one bit for each granule; 1 means used */
  struct group_summary *summaries; /* one for each group */
  uint64_t *first_group;           /* RUN_CLASSES hints, see struct segment */
};

/* Marks all granules as free. The words must already be zero. */
void bitmap_format(const struct bitmap *bitmap, uint64_t groups);

/*
 * Finds the lowest run of `granules` free granules in the first `groups`. If there is none,
 * *trailing is the length of the free run at their end, which more groups would extend.
 */
bool bitmap_find(const struct bitmap *bitmap, uint64_t groups, uint64_t granules,
                 uint64_t *start, uint64_t *trailing);

void bitmap_set(const struct bitmap *bitmap, uint64_t start, uint64_t granules);
void bitmap_clear(const struct bitmap *bitmap, uint64_t start, uint64_t granules);

#endif
