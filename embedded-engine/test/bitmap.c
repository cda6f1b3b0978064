/* Compares the bitmap with an array of booleans after each of many random steps. */
#include "bitmap.h"

#include <string.h>

#include "check.h"
#include "programs.h"

#define GROUPS 5u
#define GRANULES (GROUPS * GROUP_GRANULES)
#define RUNS 400u
#define STEPS 60000

struct run {
  uint64_t start;
  uint64_t granules;
};

static uint64_t words[GROUPS * GROUP_WORDS];
static struct group_summary summaries[GROUPS];
static uint64_t hints[RUN_CLASSES];
static const struct bitmap bitmap = {words, summaries, hints};
static bool model[GRANULES];
static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static uint64_t longest_free_run(uint64_t granules, uint64_t *trailing) {
  uint64_t longest = 0;
  uint64_t run = 0;
  for (uint64_t i = 0; i < granules; i++) {
    run = model[i] ? 0 : run + 1;
    if (run > longest) longest = run;
  }
  *trailing = run;
  return longest;
}

static uint64_t choose_length(void) {
  switch (next_random() % 4) {
    case 0:
      return 1 + next_random() % 4;
    case 1:
      return 1 + next_random() % 200;
    case 2:
      return 1 + next_random() % GROUP_GRANULES;
    default:
      return 1 + next_random() % (2 * GROUP_GRANULES);
  }
}

static void check_found(uint64_t start, uint64_t granules, uint64_t backed) {
  CHECK(start + granules <= backed * GROUP_GRANULES);
  for (uint64_t i = start; i < start + granules; i++) CHECK(!model[i]);
}

static bool take(struct run *run, uint64_t backed) {
  uint64_t trailing = 0, expected;
  run->granules = choose_length();
  if (!bitmap_find(&bitmap, backed, run->granules, &run->start, &trailing)) {
    CHECK(longest_free_run(backed * GROUP_GRANULES, &expected) < run->granules);
    CHECK(trailing == expected);
    return false;
  }
  check_found(run->start, run->granules, backed);
  bitmap_set(&bitmap, run->start, run->granules);
  memset(model + run->start, true, run->granules);
  return true;
}

static void give_back(const struct run *run) {
  bitmap_clear(&bitmap, run->start, run->granules);
  memset(model + run->start, false, run->granules);
}

static void check_all(void) {
  for (uint64_t i = 0; i < GRANULES; i++) CHECK(((words[i / 64] >> (i % 64)) & 1) == model[i]);
}

int run_bitmap(int count, char **arguments) {
  static struct run runs[RUNS];
  uint32_t used = 0;
  (void)count;
  (void)arguments;
  bitmap_format(&bitmap, GROUPS);
  for (int step = 0; step < STEPS; step++) {
    uint64_t backed = step < STEPS / 4 ? 2 : GROUPS; /* then it grows */
    bool more = used == 0 || (used < RUNS && next_random() % 2 == 0);
    if (more) {
      used += take(&runs[used], backed);
    } else {
      uint32_t chosen = (uint32_t)(next_random() % used);
      give_back(&runs[chosen]);
      runs[chosen] = runs[--used];
    }
    if (step % 1000 == 0) check_all();
  }
  while (used > 0) give_back(&runs[--used]);
  uint64_t start, trailing;
  CHECK(bitmap_find(&bitmap, GROUPS, GRANULES, &start, &trailing) && start == 0);
  puts("bitmap: ok");
  return 0;
}
