/* See figures.h. */
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool all_met = true;

double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, ascending);
  return values[count / 2];
}

void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "failed: %s\n", what);
  exit(2);
}

void report(const char *what, double value, const char *unit, const char *target, bool met) {
  printf("%-44s %9.3f %-6s %-26s %s\n", what, value, unit, target, met ? "ok" : "MISSED");
  if (!met) all_met = false;
}

void note(const char *what, double value, const char *unit) {
  printf("%-44s %9.3f %s\n", what, value, unit);
}

mmc_buffer buffer_of(void *bytes, uint64_t length) {
  return (mmc_buffer){(uint64_t)(uintptr_t)bytes, MMC_MEDIUM_DRAM, 0, length};
}

mmc_put_options one_replica(void) {
  mmc_put_options options = {.mediaType = 1, .replicaNum = 1};
  for (unsigned i = 0; i < MMC_MAX_REPLICAS; i++) {
    options.preferredLocalServiceIDs[i] = MMC_NO_PREFERENCE;
  }
  return options;
}

void small_key(char *key, size_t room, int index) {
  snprintf(key, room, "bench/small/%08d", index);
}

void block_key(char *key, size_t room, int index) {
  snprintf(key, room, "bench/block/%d", index);
}

bool all_targets_met(void) {
  return all_met;
}
