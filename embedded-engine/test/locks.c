/* Locks whose owner is stopped or killed while it holds them. */
#include "pool.h"
#include "programs.h"
#include "scene.h"

static void put_and_remove(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  say_step(1);
  for (;;) {
    put_bytes("one key", "bytes", 5);
    mmcc_remove("one key", 0);
  }
}

static bool child_holds_its_segment(void) {
  return child_holds(&pool_client(CHILD_SLOT)->segment.lock);
}

/* About one key for each shard, all put by this process. */
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
  CHECK_CODE(mmcc_exist("one key", 0), MCG_LOCK_TIMEOUT);
  int64_t waited_ms = now_ms() - start_ms;
  CHECK(waited_ms >= 950 && waited_ms < 1500 + SLACK_MS);
  start_ms = now_ms();
  CHECK_CODE(mmcc_batch_exist(keys, COUNT, results, 0), MMC_OK);
  CHECK(now_ms() - start_ms < 1500 + SLACK_MS); /* a batch waits no longer than a single call */
  int timed_out = 0;
  for (int i = 0; i < COUNT; i++) {
    CHECK(results[i] == MMC_OK || results[i] == MCG_LOCK_TIMEOUT);
    timed_out += results[i] == MCG_LOCK_TIMEOUT;
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

int run_locks(int count, char **arguments) {
  (void)count;
  (void)arguments;
  a_stopped_owner_of_a_lock_costs_a_second_and_a_killed_one_nothing();
  whoever_dies_with_a_lock_leaves_all_else_as_it_was(child_holds_a_shard);
  whoever_dies_with_a_lock_leaves_all_else_as_it_was(child_holds_its_segment);
  puts("locks: ok");
  return 0;
}
