/* Which granules of a segment are used, with a summary of each group so that searches skip. */
#ifndef MCG_BITMAP_H
#define MCG_BITMAP_H

#include <stdbool.h>

#include "layout.h"

struct bitmap {
  uint64_t *words;                 /* one bit for each granule, 1 is used */
  struct group_summary *summaries; /* one for each group */
  uint64_t *first_group;           /* RUN_CLASSES hints, see struct segment */
};

/* All granules free. The words must be zero already. */
void bitmap_format(const struct bitmap *bitmap, uint64_t groups);

/*
 * The lowest run of `granules` free ones in the first `groups`. When there is none, *trailing is
 * the length of the free run at their end, which more groups would lengthen.
 */
bool bitmap_find(const struct bitmap *bitmap, uint64_t groups, uint64_t granules,
                 uint64_t *start, uint64_t *trailing);

void bitmap_set(const struct bitmap *bitmap, uint64_t start, uint64_t granules);
void bitmap_clear(const struct bitmap *bitmap, uint64_t start, uint64_t granules);

#endif
