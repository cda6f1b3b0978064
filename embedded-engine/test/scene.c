/* See scene.h. */
#include "scene.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"

struct scene scene;

void scene_begin(uint64_t bytes) {
  unique_pool_name(scene.pool, sizeof scene.pool);
  use_pool(scene.pool, bytes);
  scene.board = make_board();
  scene.shared = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(scene.shared != MAP_FAILED);
}

void scene_end(void) {
  CHECK(!pool_exists(scene.pool));
  munmap(scene.shared, BIG);
  munmap(scene.board, sizeof *scene.board);
}

void say_step(int step) {
  _Atomic int *word = &scene.board->step[0];
  atomic_store(word, step);
  syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Sleeps in the kernel: many clients that poll would take the processors from those that work. */
void wait_for_step(int step) {
  const struct timespec second = {1, 0};
  _Atomic int *word = &scene.board->step[0];
  int64_t start_ms = now_ms();
  for (int current; (current = atomic_load(word)) < step;) {
    CHECK(now_ms() - start_ms < 10000);
    syscall(SYS_futex, word, FUTEX_WAIT, current, &second, NULL, 0);
  }
}

void stop(pid_t child) {
  int status;
  CHECK(kill(child, SIGSTOP) == 0);
  CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
}

void resume(pid_t child) {
  CHECK(kill(child, SIGCONT) == 0);
}

void stop_while(pid_t child, bool (*is_so)(void)) {
  for (;;) {
    while (!is_so()) sched_yield();
    stop(child);
    if (is_so()) return;
    resume(child);
  }
}

void write_big_repeatedly(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  fill(scene.shared, BIG, 5);
  say_step(1);
  for (;;) {
    CHECK_CODE(put_bytes("big", scene.shared, BIG), MMC_OK);
    if (atomic_load(&scene.board->step[0]) == 2) break;
    CHECK_CODE(mmcc_remove("big", 0), MMC_OK);
  }
  say_step(3);
  wait_for_step(4);
  mmc_uninit();
}

bool big_is_half_written(void) {
  return mmcc_exist("big", 0) == MMC_OBJECT_NOT_EXISTS;
}

void read_big_repeatedly(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  say_step(1);
  wait_for_step(2);
  do {
    memset(scene.shared, 0, BIG);
    atomic_store(&scene.board->step[1], 1);
    CHECK_CODE(get_bytes("big", scene.shared, BIG), MMC_OK);
    atomic_store(&scene.board->step[1], 0);
    CHECK(is_filled(scene.shared, BIG, 7));
  } while (atomic_load(&scene.board->step[0]) == 2);
  say_step(4);
  wait_for_step(5);
  mmc_uninit();
}

/* Not the first and last bytes: memcpy may start at either end and may write the ends last. */
bool big_is_half_read(void) {
  const volatile uint64_t *words = (const volatile uint64_t *)scene.shared;
  bool low = words[BIG / 8 / 8] != 0;
  bool high = words[BIG / 8 / 8 * 7] != 0;
  return atomic_load(&scene.board->step[1]) == 1 && low != high;
}

void stay(void *context) {
  (void)context;
  CHECK_CODE(init_client(), MMC_OK);
  say_step(1);
  wait_for_step(2);
  mmc_uninit();
}

void ask_for_one_key(void *context) {
  const char *keys[200];
  int32_t results[200];
  (void)context;
  for (int i = 0; i < 200; i++) keys[i] = "one key";
  CHECK_CODE(init_client(), MMC_OK);
  say_step(1);
  for (;;) CHECK_CODE(mmcc_batch_exist(keys, 200, results, 0), MMC_OK);
}

bool child_holds(const struct lock *lock) {
  return atomic_load(&lock->word) >> 1 == CHILD_SLOT + 1;
}

static const struct lock *held_shard_lock(void) {
  for (uint32_t shard = 0; shard < SHARDS; shard++) {
    if (child_holds(&pool.shards[shard].lock)) return &pool.shards[shard].lock;
  }
  return NULL;
}

bool child_holds_a_shard(void) {
  return held_shard_lock() != NULL;
}
