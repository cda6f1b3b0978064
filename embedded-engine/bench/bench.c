/*
 * Prints the cost of engine calls from C, compared with a memcpy of the same size in the same run,
 * and whether each figure meets its target. Exits with 1 if one does not. With `--region FILE` it prints
 * only puts from a file of shared memory and gets into it, without targets.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "figures.h"

#define BATCH 1000
#define ROUNDS 41

enum { GROUP = 10, SAMPLES = SMALL_OBJECTS / GROUP };

static double sample_us[SAMPLES];

/* A call costs about as much as reading the clock, so each sample is the mean of several calls. */
static double put_small(char (*keys)[32], char *bytes) {
  mmc_put_options options = one_replica();
  for (int sample = 0; sample < SAMPLES; sample++) {
    double start = now_us();
    for (int i = 0; i < GROUP; i++) {
      mmc_buffer buffer = buffer_of(bytes, KIB);
      require(mmcc_put(keys[sample * GROUP + i], &buffer, options, 0) == 0, "put 1 KiB");
    }
    sample_us[sample] = (now_us() - start) / GROUP;
  }
  return median(sample_us, SAMPLES);
}

static double get_small(char (*keys)[32], int distinct, char *bytes) {
  for (int sample = 0; sample < SAMPLES; sample++) {
    double start = now_us();
    for (int i = 0; i < GROUP; i++) {
      mmc_buffer buffer = buffer_of(bytes, KIB);
      int key = (sample * GROUP + i) * 7919 % distinct;
      require(mmcc_get(keys[key], &buffer, 0) == 0, "get 1 KiB");
    }
    sample_us[sample] = (now_us() - start) / GROUP;
  }
  return median(sample_us, SAMPLES);
}

static double copy_small(char *bytes) {
  for (int sample = 0; sample < SAMPLES; sample++) {
    double start = now_us();
    for (int i = 0; i < GROUP; i++) {
      memcpy(bytes, bytes + KIB * (uint64_t)(1 + (sample * GROUP + i) % 1000), KIB);
      __asm__ volatile("" : : "r"(bytes) : "memory");
    }
    sample_us[sample] = (now_us() - start) / GROUP;
  }
  return median(sample_us, SAMPLES);
}

static void measure_small(char *bytes) {
  char(*keys)[32] = malloc(SMALL_OBJECTS * sizeof *keys);
  for (int i = 0; i < SMALL_OBJECTS; i++) small_key(keys[i], sizeof keys[i], i);
  double cold = put_small(keys, bytes);
  for (int i = 0; i < SMALL_OBJECTS; i++) mmcc_remove(keys[i], 0);
  double put = put_small(keys, bytes);
  double get = get_small(keys, 1000, bytes);
  note("memcpy of 1 KiB, of 1,000", copy_small(bytes), "us");
  report("get of 1 KiB, of 1,000 objects, median", get, "us", "at most 1", get <= 1);
  note("get of 1 KiB, of 20,000 objects, median", get_small(keys, SMALL_OBJECTS, bytes), "us");
  note("put of 1 KiB, first use of the pool, median", cold, "us");
  report("put of 1 KiB, median", put, "us", "at most 2", put <= 2);
  free(keys);
}

static void measure_batch(char *bytes) {
  static double batch_us[ROUNDS];
  static char names[BATCH][32];
  static const char *keys[BATCH];
  static mmc_buffer buffers[BATCH];
  static int32_t results[BATCH];
  for (int i = 0; i < BATCH; i++) {
    small_key(names[i], sizeof names[i], i * 13 % SMALL_OBJECTS);
    keys[i] = names[i];
    buffers[i] = buffer_of(bytes + KIB * (uint64_t)i, KIB);
  }
  for (int round = 0; round < ROUNDS; round++) {
    double start = now_us();
    require(mmcc_batch_get(keys, BATCH, buffers, 0, results) == 0, "batch get");
    batch_us[round] = now_us() - start;
    for (int i = 0; i < BATCH; i++) require(results[i] == 0, "batch get item");
  }
  double batch_ms = median(batch_us, ROUNDS) / 1000;
  report("batch get of 1,000 x 1 KiB, median", batch_ms, "ms", "at most 0.5", batch_ms <= 0.5);
}

/* Puts all blocks under keys that are free. Returns the median of the calls. */
static double put_blocks(char *bytes) {
  static double put_us[BLOCKS];
  mmc_put_options options = one_replica();
  char key[32];
  for (int i = 0; i < BLOCKS; i++) {
    block_key(key, sizeof key, i);
    mmc_buffer buffer = buffer_of(bytes, BLOCK_BYTES);
    double start = now_us();
    require(mmcc_put(key, &buffer, options, 0) == 0, "put a block");
    put_us[i] = now_us() - start;
  }
  return median(put_us, BLOCKS);
}

/* The pool then has pages for as many blocks. */
static double put_blocks_again(char *bytes) {
  char key[32];
  for (int i = 0; i < BLOCKS; i++) {
    block_key(key, sizeof key, i);
    mmcc_remove(key, 0);
  }
  return put_blocks(bytes);
}

static double get_block(char *bytes, int round) {
  char key[32];
  block_key(key, sizeof key, round % BLOCKS);
  mmc_buffer buffer = buffer_of(bytes, BLOCK_BYTES);
  double start = now_us();
  require(mmcc_get(key, &buffer, 0) == 0, "get a block");
  return now_us() - start;
}

/* Alternates copies and gets, so that other load affects both equally. */
static void measure_blocks(char *bytes, char *other) {
  static double get_us[ROUNDS * 3], copy_us[ROUNDS * 3];
  double cold = put_blocks(bytes), warm = put_blocks_again(bytes);
  for (int round = 0; round < ROUNDS * 3; round++) {
    get_us[round] = get_block(bytes, round);
    double start = now_us();
    memcpy(bytes, other + BLOCK_BYTES * (uint64_t)(round % BLOCKS), BLOCK_BYTES);
    __asm__ volatile("" : : "r"(bytes) : "memory");
    copy_us[round] = now_us() - start;
  }
  double get = median(get_us, ROUNDS * 3), copy = median(copy_us, ROUNDS * 3);
  note("memcpy of 8.57 MB", copy, "us");
  note("put of 8.57 MB, first use of the pool", cold, "us");
  note("put of 8.57 MB, second use", warm, "us");
  note("get of 8.57 MB", get, "us");
  report("get of 8.57 MB against memcpy", copy / get, "x", "at least 0.8", copy / get >= 0.8);
}

/* The same from and into shared memory, which the kernel maps in smaller pages than the memory of malloc. */
static int measure_region(const char *path) {
  static double get_us[ROUNDS * 3];
  int descriptor = open(path, O_RDWR | O_CLOEXEC);
  require(descriptor >= 0, "open the shared memory");
  char *bytes = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  require(bytes != MAP_FAILED, "map the shared memory");
  put_blocks(bytes);
  note("put of 8.57 MB, second use", put_blocks_again(bytes), "us");
  for (int round = 0; round < ROUNDS * 3; round++) get_us[round] = get_block(bytes, round);
  note("get of 8.57 MB", median(get_us, ROUNDS * 3), "us");
  munmap(bytes, BLOCK_BYTES);
  close(descriptor);
  return 0;
}

/* Other load on the machine distorts the figures, so it is reported. */
static void warn_if_busy(void) {
  double load;
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  if (getloadavg(&load, 1) == 1 && load > (double)processors * 0.5) {
    printf("(the machine is busy: load %.1f on %ld processors)\n", load, processors);
  }
}

int main(int argc, char **argv) {
  mmc_init_config config = {0, true};
  setenv("MMC_EMBEDDED_BYTES", "1073741824", 1);
  unsetenv("MMC_EMBEDDED_POOL");
  if (argc == 3 && strcmp(argv[1], "--region") == 0) {
    require(mmc_init(&config) == 0, "init");
    int code = measure_region(argv[2]);
    mmc_uninit();
    return code;
  }
  char *bytes = aligned_alloc(4096, BLOCK_BYTES * 2);
  char *other = aligned_alloc(4096, BLOCK_BYTES * BLOCKS);
  require(bytes != NULL && other != NULL, "memory");
  memset(bytes, 1, BLOCK_BYTES * 2);
  memset(other, 2, BLOCK_BYTES * BLOCKS);
  warn_if_busy();
  double start = now_us();
  require(mmc_init(&config) == 0, "init");
  double init_ms = (now_us() - start) / 1000;
  report("init of 1 GiB", init_ms, "ms", "at most 15", init_ms <= 15);
  measure_small(bytes);
  measure_batch(bytes);
  measure_blocks(bytes, other);
  measure_threads(bytes, other);
  start = now_us();
  mmc_uninit();
  note("uninit", (now_us() - start) / 1000, "ms");
  return all_targets_met() ? 0 : 1;
}
