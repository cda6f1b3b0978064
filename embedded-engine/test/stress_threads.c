/*
 * Threads of one process work on shared keys, first in a large pool, then in a pool so small that it
 * always evicts. For ThreadSanitizer. Argument: milliseconds for each half.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "audit.h"
#include "check.h"
#include "programs.h"
#include "traffic.h"

#define THREADS 4

static atomic_bool stopping;
static _Atomic uint64_t steps;
static _Atomic uint64_t reads;

static void *run(void *argument) {
  struct traffic traffic;
  traffic_begin(&traffic, (uint64_t)(uintptr_t)argument, 300, 1);
  while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
    traffic_step(&traffic);
    atomic_fetch_add_explicit(&steps, 1, memory_order_relaxed);
  }
  CHECK(traffic.given_up == 0); /* no other process holds a lock */
  atomic_fetch_add(&reads, traffic.reads);
  traffic_end(&traffic);
  return NULL;
}

/* A client that leaves lets calls in progress finish and refuses new ones. */
static void *run_until_left(void *argument) {
  char out[8];
  (void)argument;
  for (;;) {
    int32_t code = put_bytes("leaving", "12345678", 8);
    if (code == MMC_CLIENT_NOT_INIT) return NULL;
    CHECK(code == MMC_OK || code == MMC_DUPLICATED_OBJECT);
    code = get_bytes("leaving", out, 8);
    CHECK(code == MMC_OK || code == MMC_ERROR || code == MMC_CLIENT_NOT_INIT);
    CHECK(code != MMC_OK || memcmp(out, "12345678", 8) == 0);
    mmcc_remove("leaving", 0);
  }
}

static void stress(uint64_t bytes, int64_t milliseconds) {
  char name[64];
  pthread_t threads[THREADS];
  unique_pool_name(name, sizeof name);
  use_pool(name, bytes);
  CHECK_CODE(init_client(), MMC_OK);
  atomic_store(&stopping, false);
  for (uintptr_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, run, (void *)(i + 1)) == 0);
  }
  for (int64_t start = now_ms(); now_ms() - start < milliseconds;) pause_ms(10);
  atomic_store(&stopping, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  mmc_uninit();
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run_until_left, NULL);
  pause_ms(20);
  mmc_uninit();
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  CHECK(!pool_exists(name));
}

int run_stress_threads(int count, char **arguments) {
  int64_t milliseconds = count > 1 ? atoi(arguments[1]) : 2000;
  stress(64ull << 20, milliseconds);
  stress(1ull << 20, milliseconds);
  printf("stress_threads: ok, %llu steps, %llu objects read and checked\n",
         (unsigned long long)steps, (unsigned long long)reads);
  return 0;
}
