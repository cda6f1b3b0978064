/* How much more two threads get than one. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "figures.h"

struct worker {
  pthread_t thread;
  int number;
  bool large;
  bool copy_only;
  char *bytes;
  char *from;
  uint64_t done;
};

static atomic_int phase; /* 0 wait, 1 run, 2 stop */

static void *work(void *argument) {
  struct worker *worker = argument;
  char key[32];
  while (atomic_load(&phase) == 0) continue;
  for (int i = worker->number; atomic_load_explicit(&phase, memory_order_relaxed) == 1; i += 2) {
    uint64_t length = worker->large ? BLOCK_BYTES : KIB;
    mmc_buffer buffer = buffer_of(worker->bytes, length);
    if (worker->copy_only) {
      memcpy(worker->bytes, worker->from + BLOCK_BYTES * (uint64_t)(i % BLOCKS), length);
    } else {
      if (worker->large) block_key(key, sizeof key, i % BLOCKS);
      else small_key(key, sizeof key, i % SMALL_OBJECTS);
      require(mmcc_get(key, &buffer, 0) == 0, "get in a thread");
    }
    worker->done++;
  }
  return NULL;
}

static double rate_once(int threads, bool large, bool copy_only, char *bytes, char *from) {
  struct worker workers[2];
  atomic_store(&phase, 0);
  for (int i = 0; i < threads; i++) {
    workers[i] = (struct worker){.number = i, .large = large, .copy_only = copy_only, .from = from};
    workers[i].bytes = bytes + (uint64_t)i * BLOCK_BYTES;
    require(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread");
  }
  double start = now_us();
  atomic_store(&phase, 1);
  usleep(100000);
  atomic_store(&phase, 2);
  uint64_t done = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    done += workers[i].done;
  }
  return (double)done / (now_us() - start) * 1e6;
}

struct rates {
  double one;
  double two;
};

/* The best of a few, in turn: other load on the machine only ever slows a run down. */
static struct rates rates_of(bool large, bool copy_only, char *bytes, char *from) {
  struct rates best = {0, 0};
  for (int round = 0; round < 6; round++) {
    double one = rate_once(1, large, copy_only, bytes, from);
    double two = rate_once(2, large, copy_only, bytes, from);
    if (one > best.one) best.one = one;
    if (two > best.two) best.two = two;
  }
  return best;
}

/* What two threads can gain in large copies depends on the memory: a memcpy shows its limit. */
void measure_threads(char *bytes, char *other) {
  struct rates copies = rates_of(true, true, bytes, other);
  struct rates large = rates_of(true, false, bytes, other);
  struct rates small = rates_of(false, false, bytes, other);
  double limit = copies.two / copies.one, gain = large.two / large.one;
  note("memcpy of 8.57 MB, one thread", copies.one * BLOCK_BYTES / 1e9, "GB/s");
  note("memcpy of 8.57 MB, two threads", copies.two * BLOCK_BYTES / 1e9, "GB/s");
  note("get of 8.57 MB, one thread", large.one * BLOCK_BYTES / 1e9, "GB/s");
  note("get of 8.57 MB, two threads", large.two * BLOCK_BYTES / 1e9, "GB/s");
  note("two threads against one, memcpy", limit, "x");
  report("two threads against one, get of 8.57 MB", gain, "x", "at least 1.6, or memcpy's",
         gain >= 1.6 || gain >= 0.95 * limit);
  note("get of 1 KiB, one thread", small.one / 1e6, "M/s");
  report("two threads against one, get of 1 KiB", small.two / small.one, "x", "at least 1.6",
         small.two / small.one >= 1.6);
}
