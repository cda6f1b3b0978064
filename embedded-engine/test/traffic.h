/* Random calls on a set of contested keys; every byte that is read is checked. */
#ifndef MCG_TEST_TRAFFIC_H
#define MCG_TEST_TRAFFIC_H

#include <stdint.h>

#define TRAFFIC_MAX_BYTES 40000u

struct traffic {
  uint64_t random;
  uint32_t keys;
  uint32_t replicas; /* at most */
  char *bytes;       /* TRAFFIC_MAX_BYTES, private to this thread */
  int64_t slowest_ns;
  uint64_t reads; /* that found an object */
  uint64_t given_up; /* calls that timed out on a lock of a killed process that had not ended yet */
};

void traffic_begin(struct traffic *traffic, uint64_t seed, uint32_t keys, uint32_t replicas);
void traffic_step(struct traffic *traffic);
void traffic_end(struct traffic *traffic);

#endif
