/* engine-test <program> [argument …] */
#include <stdio.h>
#include <string.h>

#include "programs.h"

static const struct {
  const char *name;
  int (*run)(int count, char **arguments);
} programs[] = {
    {"bitmap", run_bitmap},
    {"conformance", run_conformance},
    {"processes", run_processes},
    {"deaths", run_deaths},
    {"locks", run_locks},
    {"waits", run_waits},
    {"destroyed", run_destroyed},
    {"overwritten", run_overwritten},
    {"touch", run_touch},
    {"eviction", run_eviction},
    {"listing", run_listing},
    {"room", run_room},
    {"huge", run_huge},
    {"instructions", run_instructions},
    {"truncated", run_truncated},
    {"stress_threads", run_stress_threads},
    {"stress_kills", run_stress_kills},
};

int main(int count, char **arguments) {
  for (size_t i = 0; count > 1 && i < sizeof programs / sizeof *programs; i++) {
    if (strcmp(arguments[1], programs[i].name) == 0) {
      return programs[i].run(count - 1, arguments + 1);
    }
  }
  fputs("usage: engine-test <program> [argument ...]; programs:", stderr);
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    fprintf(stderr, " %s", programs[i].name);
  }
  fputc('\n', stderr);
  return 2;
}
