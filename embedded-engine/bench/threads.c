/* The gain in throughput from a second thread. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
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
  double processor_us;
};

static atomic_int phase; /* 0 wait, 1 run, 2 stop */

static double processor_us(void) {
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

static void *work(void *argument) {
  struct worker *worker = argument;
  char key[32];
  while (atomic_load(&phase) == 0) continue;
  double start_us = processor_us();
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
  worker->processor_us = processor_us() - start_us;
  return NULL;
}

/* Calls per second: as measured, and as calculated from processor time, without other load. */
struct rate {
  double elapsed;
  double processor;
};

static struct rate rate_once(int threads, bool large, bool copy_only, char *bytes, char *from) {
  struct worker workers[2];
  struct rate rate = {0, 0};
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
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    rate.elapsed += (double)workers[i].done;
    rate.processor += (double)workers[i].done / workers[i].processor_us * 1e6;
  }
  rate.elapsed = rate.elapsed / (now_us() - start) * 1e6;
  return rate;
}

struct rates {
  struct rate one;
  struct rate two;
};

static void keep_best(struct rate *best, struct rate rate) {
  if (rate.elapsed > best->elapsed) best->elapsed = rate.elapsed;
  if (rate.processor > best->processor) best->processor = rate.processor;
}

/* The best of several runs, because other load can only slow a run down. */
static struct rates rates_of(bool large, bool copy_only, char *bytes, char *from) {
  struct rates best = {{0, 0}, {0, 0}};
  for (int round = 0; round < 6; round++) {
    keep_best(&best.one, rate_once(1, large, copy_only, bytes, from));
    keep_best(&best.two, rate_once(2, large, copy_only, bytes, from));
  }
  return best;
}

static double gain(struct rates rates) {
  return rates.two.elapsed / rates.one.elapsed;
}

static double processor_gain(struct rates rates) {
  return rates.two.processor / rates.one.processor;
}

/* The possible gain in large copies depends on the memory; a memcpy shows the limit. */
void measure_threads(char *bytes, char *other) {
  struct rates copies = rates_of(true, true, bytes, other);
  struct rates large = rates_of(true, false, bytes, other);
  struct rates small = rates_of(false, false, bytes, other);
  note("memcpy of 8.57 MB, one thread", copies.one.elapsed * BLOCK_BYTES / 1e9, "GB/s");
  note("memcpy of 8.57 MB, two threads", copies.two.elapsed * BLOCK_BYTES / 1e9, "GB/s");
  note("get of 8.57 MB, one thread", large.one.elapsed * BLOCK_BYTES / 1e9, "GB/s");
  note("get of 8.57 MB, two threads", large.two.elapsed * BLOCK_BYTES / 1e9, "GB/s");
  note("two threads against one, memcpy", gain(copies), "x");
  report("two threads against one, get of 8.57 MB", gain(large), "x", "at least 1.6, or memcpy's",
         gain(large) >= 1.6 || gain(large) >= 0.95 * gain(copies));
  note("get of 1 KiB, one thread", small.one.elapsed / 1e6, "M/s");
  report("two threads against one, get of 1 KiB", gain(small), "x", "at least 1.6",
         gain(small) >= 1.6);
  note("  by the processor time it took", processor_gain(small), "x");
}
