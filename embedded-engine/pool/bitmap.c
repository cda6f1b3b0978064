/*
 * Allocation at the lowest address keeps the used part of a segment together. So touch.c has one
 * front to work on, and mapped space is reused before untouched space.
 *
 * A summary has the exact free runs at both ends of its group, because runs continue across groups.
 * The longest run inside is only an upper bound; a failed search corrects it.
 */
#include "bitmap.h"

#include <string.h>

static inline uint32_t smaller(uint64_t left, uint64_t right) {
  return (uint32_t)(left < right ? left : right);
}

/* The first granule from `from` on whose bit XOR `flip` is set; GROUP_GRANULES if there is none. */
static uint32_t next_bit(const uint64_t *words, uint32_t from, uint64_t flip) {
  if (from >= GROUP_GRANULES) return GROUP_GRANULES;
  uint32_t index = from / 64;
  uint64_t word = (words[index] ^ flip) & (~0ull << (from % 64));
  while (word == 0) {
    if (++index == GROUP_WORDS) return GROUP_GRANULES;
    word = words[index] ^ flip;
  }
  return index * 64 + (uint32_t)__builtin_ctzll(word);
}

static uint32_t next_used(const uint64_t *words, uint32_t from) {
  return next_bit(words, from, 0);
}

static uint32_t next_free(const uint64_t *words, uint32_t from) {
  return next_bit(words, from, ~0ull);
}

/* The start of the free run that ends just before `end`. */
static uint32_t run_start(const uint64_t *words, uint32_t end) {
  while (end > 0) {
    uint32_t index = (end - 1) / 64;
    uint32_t bits = (end - 1) % 64 + 1;
    uint64_t below = words[index] << (64 - bits);
    if (below != 0) return end - (uint32_t)__builtin_clzll(below);
    end -= bits;
  }
  return 0;
}

static bool find_in_group(const uint64_t *words, uint32_t wanted, struct group_summary *summary,
                          uint32_t *found) {
  uint32_t longest = 0;
  for (uint32_t from = next_free(words, 0); from < GROUP_GRANULES;) {
    uint32_t end = next_used(words, from);
    if (end - from >= wanted) {
      *found = from;
      return true;
    }
    if (end - from > longest) longest = end - from;
    from = next_free(words, end);
  }
  summary->longest = (uint16_t)longest;
  return false;
}

static uint32_t class_of(uint64_t granules) {
  return smaller(63u - (uint32_t)__builtin_clzll(granules), RUN_CLASSES - 1);
}

static bool find_from(const struct bitmap *bitmap, uint64_t from, uint64_t groups,
                      uint64_t granules, uint64_t *start, uint64_t *trailing) {
  uint32_t class = class_of(granules);
  bool hinted = false;
  uint64_t carried = 0;
  for (uint64_t group = from; group < groups; group++) {
    struct group_summary *summary = &bitmap->summaries[group];
    if (carried + summary->first >= granules) {
      *start = group * GROUP_GRANULES - carried;
      return true;
    }
    uint32_t found;
    if (summary->longest >= granules &&
        find_in_group(bitmap->words + group * GROUP_WORDS, (uint32_t)granules, summary, &found)) {
      *start = group * GROUP_GRANULES + found;
      return true;
    }
    if (!hinted && group >= bitmap->first_group[class]) {
      hinted = summary->longest >= 1u << class;
      if (!hinted) bitmap->first_group[class] = group + 1;
    }
    carried = summary->first == GROUP_GRANULES ? carried + GROUP_GRANULES : summary->last;
  }
  *trailing = carried;
  return false;
}

void bitmap_format(const struct bitmap *bitmap, uint64_t groups) {
  for (uint64_t group = 0; group < groups; group++) {
    bitmap->summaries[group] =
        (struct group_summary){GROUP_GRANULES, GROUP_GRANULES, GROUP_GRANULES, 0};
  }
  memset(bitmap->first_group, 0, RUN_CLASSES * sizeof *bitmap->first_group);
}

/* The hint ignores runs across groups, so a failed search is repeated from the start. */
bool bitmap_find(const struct bitmap *bitmap, uint64_t groups, uint64_t granules,
                 uint64_t *start, uint64_t *trailing) {
  uint64_t hint = bitmap->first_group[class_of(granules)];
  uint64_t from = hint > 0 ? hint - 1 : 0;
  if (find_from(bitmap, from, groups, granules, start, trailing)) return true;
  return from > 0 && find_from(bitmap, 0, groups, granules, start, trailing);
}

static void write_bits(uint64_t *words, uint32_t from, uint32_t count, bool used) {
  while (count > 0) {
    uint32_t offset = from % 64;
    uint32_t bits = smaller(64 - offset, count);
    uint64_t mask = (bits == 64 ? ~0ull : (1ull << bits) - 1) << offset;
    if (used) {
      words[from / 64] |= mask;
    } else {
      words[from / 64] &= ~mask;
    }
    from += bits;
    count -= bits;
  }
}

static void set_in_group(const struct bitmap *bitmap, uint64_t group, uint32_t from,
                         uint32_t count) {
  struct group_summary *summary = &bitmap->summaries[group];
  write_bits(bitmap->words + group * GROUP_WORDS, from, count, true);
  if (from < summary->first) summary->first = (uint16_t)from;
  if (from + count > GROUP_GRANULES - (uint32_t)summary->last) {
    summary->last = (uint16_t)(GROUP_GRANULES - (from + count));
  }
  if (count == GROUP_GRANULES) summary->longest = 0;
}

static void lower_hints(const struct bitmap *bitmap, uint64_t group, uint32_t run) {
  for (uint32_t class = 0; class < RUN_CLASSES && 1u << class <= run; class++) {
    if (bitmap->first_group[class] > group) bitmap->first_group[class] = group;
  }
}

static void clear_in_group(const struct bitmap *bitmap, uint64_t group, uint32_t from,
                           uint32_t count) {
  struct group_summary *summary = &bitmap->summaries[group];
  uint64_t *words = bitmap->words + group * GROUP_WORDS;
  write_bits(words, from, count, false);
  uint32_t start = run_start(words, from);
  uint32_t end = next_used(words, from + count);
  if (start == 0) summary->first = (uint16_t)end;
  if (end == GROUP_GRANULES) summary->last = (uint16_t)(end - start);
  if (end - start > summary->longest) summary->longest = (uint16_t)(end - start);
  lower_hints(bitmap, group, end - start);
}

typedef void (*change_group)(const struct bitmap *bitmap, uint64_t group, uint32_t from,
                             uint32_t count);

static void change(const struct bitmap *bitmap, uint64_t start, uint64_t granules,
                   change_group change_one) {
  while (granules > 0) {
    uint32_t from = (uint32_t)(start % GROUP_GRANULES);
    uint32_t count = smaller(GROUP_GRANULES - from, granules);
    change_one(bitmap, start / GROUP_GRANULES, from, count);
    start += count;
    granules -= count;
  }
}

void bitmap_set(const struct bitmap *bitmap, uint64_t start, uint64_t granules) {
  change(bitmap, start, granules, set_in_group);
}

void bitmap_clear(const struct bitmap *bitmap, uint64_t start, uint64_t granules) {
  change(bitmap, start, granules, clear_in_group);
}
