/* Locks whose owner is stopped or killed while it holds them. */
#include <pthread.h>

#include "pool.h"
#include "programs.h"
#include "scene.h"

static void ask_for_one_key(void *context) {
  const char *keys[200];
  int32_t results[200];
  (void)context;
  for (int i = 0; i < 200; i++) keys[i] = "one key";
  CHECK_CODE(init_client(), MMC_OK);
  say_step(1);
  for (;;) CHECK_CODE(mmcc_batch_exist(keys, 200, results, 0), MMC_OK);
}

static void put_and_remove(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  say_step(1);
  for (;;) {
    put_bytes("one key", "bytes", 5);
    mmcc_remove("one key", 0);
  }
}

static bool child_holds(const struct lock *lock) {
  return atomic_load(&lock->word) >> 1 == CHILD_SLOT + 1;
}

static const struct lock *held_shard_lock(void) {
  for (uint32_t shard = 0; shard < SHARDS; shard++) {
    if (child_holds(&pool.shards[shard].lock)) return &pool.shards[shard].lock;
  }
  return NULL;
}

static bool child_holds_a_shard(void) {
  return held_shard_lock() != NULL;
}

static bool child_holds_its_segment(void) {
  return child_holds(&pool_client(CHILD_SLOT)->segment.lock);
}

/* One key for each shard or so, all put by this process. */
static void put_many(int count) {
  char key[24];
  for (int i = 0; i < count; i++) {
    char bytes[300];
    snprintf(key, sizeof key, "many-%d", i);
    fill(bytes, sizeof bytes, (uint64_t)i);
    mmc_buffer buffer = buffer_of(bytes, sizeof bytes);
    CHECK_CODE(mmcc_put(key, &buffer, options_preferring(1, 1, -1), 0), MMC_OK);
  }
}

static void check_many(int count) {
  char key[24], out[300];
  for (int i = 0; i < count; i++) {
    snprintf(key, sizeof key, "many-%d", i);
    CHECK_CODE(get_bytes(key, out, sizeof out), MMC_OK);
    CHECK(is_filled(out, sizeof out, (uint64_t)i));
  }
}

static void a_stopped_owner_of_a_lock_costs_a_second_and_a_killed_one_nothing(void) {
  enum { COUNT = 500 };
  const char *keys[COUNT];
  static char names[COUNT][24];
  int32_t results[COUNT];
  scene_begin(4 * MIB);
  pid_t child = spawn(ask_for_one_key, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  put_many(COUNT);
  stop_while(child, child_holds_a_shard);
  for (int i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i], "many-%d", i);
    keys[i] = names[i];
  }
  int64_t start_ms = now_ms();
  CHECK_CODE(mmcc_exist("one key", 0), MMC_TIMEOUT);
  int64_t waited_ms = now_ms() - start_ms;
  CHECK(waited_ms >= 950 && waited_ms < 1500 + SLACK_MS);
  start_ms = now_ms();
  CHECK_CODE(mmcc_batch_exist(keys, COUNT, results, 0), MMC_OK);
  CHECK(now_ms() - start_ms < 1500 + SLACK_MS); /* a batch waits no longer than a call */
  int timed_out = 0;
  for (int i = 0; i < COUNT; i++) {
    CHECK(results[i] == MMC_OK || results[i] == MMC_TIMEOUT);
    timed_out += results[i] == MMC_TIMEOUT;
  }
  CHECK(timed_out > 0 && timed_out < COUNT / 8);
  resume(child);
  WITHIN_RECOVERY(mmcc_exist("one key", 0) == MMC_UNMATCHED_KEY);
  check_many(COUNT);
  stop_while(child, child_holds_a_shard);
  kill_now(child);
  WITHIN_RECOVERY(mmcc_exist("one key", 0) == MMC_UNMATCHED_KEY);
  check_many(COUNT);
  CHECK_CODE(put_bytes("one key", "mine", 4), MMC_OK);
  mmc_uninit();
  scene_end();
}

static void whoever_dies_with_a_lock_leaves_all_else_as_it_was(bool (*holds)(void)) {
  enum { COUNT = 2000 };
  scene_begin(4 * MIB);
  pid_t child = spawn(put_and_remove, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  put_many(COUNT);
  stop_while(child, holds);
  kill_now(child);
  WITHIN_RECOVERY(mmcc_exist("one key", 0) == MMC_UNMATCHED_KEY);
  check_many(COUNT);
  UNTIL(client_state_of(atomic_load(&pool_client(CHILD_SLOT)->state)) == CLIENT_FREE);
  check_many(COUNT);
  CHECK(pool_measure_use().used_bytes == COUNT * 512);
  mmc_uninit();
  scene_end();
}

/* A child that is stopped inside the lock of the shard of "one key", which does not exist. */
static pid_t stop_in_a_shard(void) {
  scene_begin(4 * MIB);
  pid_t child = spawn(ask_for_one_key, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  stop_while(child, child_holds_a_shard);
  return child;
}

static void end_with_killed(pid_t child) {
  kill_now(child);
  WITHIN_RECOVERY(mmcc_exist("one key", 0) == MMC_UNMATCHED_KEY);
  mmc_uninit();
  scene_end();
}

static void a_thread_with_limited_waits_gives_up_within_microseconds(void) {
  enum { CALLS = 200 };
  mmc_data_info info;
  char out[5];
  pid_t child = stop_in_a_shard();
  CHECK_CODE(mmc_embedded_lock_wait_us(50), MMC_OK);
  int64_t start_ms = now_ms();
  for (int i = 0; i < CALLS; i++) {
    CHECK_CODE(mmcc_exist("one key", 0), MMC_TIMEOUT);
    CHECK_CODE(mmcc_remove("one key", 0), MMC_TIMEOUT);
    CHECK_CODE(mmcc_query("one key", &info, 0), MMC_TIMEOUT);
    CHECK_CODE(get_bytes("one key", out, sizeof out), MMC_TIMEOUT);
    CHECK_CODE(put_bytes("one key", "bytes", 5), MMC_TIMEOUT);
  }
  CHECK(now_ms() - start_ms < CALLS + SLACK_MS); /* of 5 calls each: 200 microseconds a call */
  CHECK_CODE(mmc_embedded_lock_wait_us(0), MMC_OK);
  start_ms = now_ms();
  CHECK_CODE(mmcc_exist("one key", 0), MMC_TIMEOUT);
  CHECK(now_ms() - start_ms >= 950);
  resume(child);
  WITHIN_RECOVERY(mmcc_exist("one key", 0) == MMC_UNMATCHED_KEY);
  CHECK(pool_measure_use().used_bytes == 0);
  end_with_killed(child);
}

static void *time_one_call(void *took_ms) {
  int64_t start_ms = now_ms();
  CHECK_CODE(mmcc_exist("one key", 0), MMC_TIMEOUT);
  *(int64_t *)took_ms = now_ms() - start_ms;
  return NULL;
}

/* How many of the threads waited for the whole second. */
static int wait_in_threads(void) {
  enum { THREADS = 8 };
  pthread_t threads[THREADS];
  int64_t took_ms[THREADS];
  int waited = 0;
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, time_one_call, &took_ms[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(threads[i], NULL) == 0);
    waited += took_ms[i] >= 950;
    CHECK(took_ms[i] >= 950 || took_ms[i] < 200 + SLACK_MS);
  }
  return waited;
}

static void one_thread_of_a_process_waits_for_a_stopped_owner(void) {
  pid_t child = stop_in_a_shard();
  CHECK(wait_in_threads() == 1);
  CHECK(wait_in_threads() == 0); /* that one has waited for all */
  resume(child);
  WITHIN_RECOVERY(mmcc_exist("one key", 0) == MMC_UNMATCHED_KEY);
  stop_while(child, child_holds_a_shard);
  CHECK(wait_in_threads() == 1);
  end_with_killed(child);
}

int run_locks(int count, char **arguments) {
  (void)count;
  (void)arguments;
  a_stopped_owner_of_a_lock_costs_a_second_and_a_killed_one_nothing();
  a_thread_with_limited_waits_gives_up_within_microseconds();
  one_thread_of_a_process_waits_for_a_stopped_owner();
  whoever_dies_with_a_lock_leaves_all_else_as_it_was(child_holds_a_shard);
  whoever_dies_with_a_lock_leaves_all_else_as_it_was(child_holds_its_segment);
  puts("locks: ok");
  return 0;
}
