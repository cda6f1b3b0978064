/* How long a thread waits for a lock whose owner is stopped. */
#include <pthread.h>

#include "lock.h"
#include "pool.h"
#include "programs.h"
#include "scene.h"

/* A child process that is stopped while it holds the shard lock of "one key", which does not exist. */
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
    CHECK_CODE(mmcc_exist("one key", 0), MCG_LOCK_TIMEOUT);
    CHECK_CODE(mmcc_remove("one key", 0), MCG_LOCK_TIMEOUT);
    CHECK_CODE(mmcc_query("one key", &info, 0), MCG_LOCK_TIMEOUT);
    CHECK_CODE(get_bytes("one key", out, sizeof out), MCG_LOCK_TIMEOUT);
    CHECK_CODE(put_bytes("one key", "bytes", 5), MCG_LOCK_TIMEOUT);
  }
  /* For 5 calls each, on a busy machine too. Without the limit each call would wait 950 ms. */
  CHECK(now_ms() - start_ms < 20 * CALLS + SLACK_MS);
  CHECK_CODE(mmc_embedded_lock_wait_us(0), MMC_OK);
  start_ms = now_ms();
  CHECK_CODE(mmcc_exist("one key", 0), MCG_LOCK_TIMEOUT);
  CHECK(now_ms() - start_ms >= 950);
  resume(child);
  WITHIN_RECOVERY(mmcc_exist("one key", 0) == MMC_UNMATCHED_KEY);
  CHECK(pool_measure_use().used_bytes == 0);
  end_with_killed(child);
}

static void *time_one_call(void *took_ms) {
  int64_t start_ms = now_ms();
  CHECK_CODE(mmcc_exist("one key", 0), MCG_LOCK_TIMEOUT);
  *(int64_t *)took_ms = now_ms() - start_ms;
  return NULL;
}

/* The number of threads that waited for the whole second. */
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
  CHECK(wait_in_threads() == 0); /* the first thread has waited for all others */
  resume(child);
  WITHIN_RECOVERY(mmcc_exist("one key", 0) == MMC_UNMATCHED_KEY);
  stop_while(child, child_holds_a_shard);
  CHECK(wait_in_threads() == 1);
  end_with_killed(child);
}

/* Takes the locks like an allocation: one after the other, with a separate budget for each. */
static int64_t wait_ms_for(struct lock *lock) {
  int64_t budget_ns = CALL_WAIT_BUDGET_NS;
  int64_t start_ms = now_ms();
  CHECK(lock_acquire(lock, &budget_ns) == LOCK_TIMED_OUT);
  CHECK(budget_ns == 0);
  return now_ms() - start_ms;
}

static bool is_whole_wait(int64_t waited_ms) {
  return waited_ms >= 950 && waited_ms < 1500 + SLACK_MS;
}

static bool is_wait_after_a_vain_one(int64_t waited_ms) {
  return waited_ms < 50 + SLACK_MS; /* 1 ms, on a machine that is not busy */
}

static void *time_one_wait(void *lock) {
  CHECK(is_whole_wait(wait_ms_for(lock)));
  return NULL;
}

static void give_to_child(struct lock *lock) {
  atomic_store(&lock->word, (CHILD_SLOT + 1) << 1);
}

/* The two locks of a segment are adjacent; a stopped client holds both. */
static void a_failed_wait_for_a_lock_leaves_the_wait_for_the_next_lock_alone(void) {
  pthread_t thread;
  int64_t budget_ns = CALL_WAIT_BUDGET_NS;
  pid_t child = stop_in_a_shard();
  struct segment *segment = &pool_client(CHILD_SLOT)->segment;
  give_to_child(&segment->lock);
  give_to_child(&segment->growth);
  CHECK(is_whole_wait(wait_ms_for(&segment->lock)));
  CHECK(is_whole_wait(wait_ms_for(&segment->growth)));
  CHECK(is_wait_after_a_vain_one(wait_ms_for(&segment->lock)));
  CHECK(is_wait_after_a_vain_one(wait_ms_for(&segment->growth)));
  /* Taking the released lock does not restore the long wait for the other one. */
  lock_release(&segment->growth);
  CHECK(lock_acquire(&segment->growth, &budget_ns) == LOCK_TAKEN);
  lock_release(&segment->growth);
  CHECK(is_wait_after_a_vain_one(wait_ms_for(&segment->lock)));
  /* Two threads wait to the end at the same time, because they wait for different locks. */
  lock_release(&segment->lock);
  CHECK(lock_acquire(&segment->lock, &budget_ns) == LOCK_TAKEN);
  give_to_child(&segment->lock);
  give_to_child(&segment->growth);
  CHECK(pthread_create(&thread, NULL, time_one_wait, &segment->lock) == 0);
  CHECK(is_whole_wait(wait_ms_for(&segment->growth)));
  CHECK(pthread_join(thread, NULL) == 0);
  lock_release(&segment->lock);
  lock_release(&segment->growth);
  end_with_killed(child);
}

int run_waits(int count, char **arguments) {
  (void)count;
  (void)arguments;
  a_thread_with_limited_waits_gives_up_within_microseconds();
  one_thread_of_a_process_waits_for_a_stopped_owner();
  a_failed_wait_for_a_lock_leaves_the_wait_for_the_next_lock_alone();
  puts("waits: ok");
  return 0;
}
