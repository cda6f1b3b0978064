/*
 * Several processes with two threads each work on shared keys. In each round one of them is killed
 * at a random moment. A keeper checks that its own objects always exist and are complete. Every few
 * rounds all others are killed, and the keeper audits the pool. Arguments: rounds, seed.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "pool.h"
#include "programs.h"
#include "scene.h"
#include "traffic.h"

#define WORKERS 3
#define THREADS 2
#define KEEPER_KEYS 64u
#define CONTESTED_KEYS 200u
#define ROUNDS_PER_AUDIT 10
#define LONGEST_ROUND_US 25000

/* The board: 0 the requested audit, 1 the last finished audit, 2 stop, 3 the slowest call in µs. */
enum { ASKED, DONE, STOP, SLOWEST_US, READS };

static void keeper_key(char *key, size_t room, uint32_t number) {
  snprintf(key, room, "keeper/%u", number);
}

static uint64_t keeper_length(uint32_t number) {
  return 1 + number * 997;
}

static void keeper_put_all(char *bytes) {
  char key[24];
  uint32_t self;
  CHECK_CODE(mmcc_local_service_id(&self), MMC_OK);
  for (uint32_t number = 0; number < KEEPER_KEYS; number++) {
    keeper_key(key, sizeof key, number);
    fill(bytes, keeper_length(number), number);
    mmc_buffer buffer = buffer_of(bytes, keeper_length(number));
    CHECK_CODE(mmcc_put(key, &buffer, options_preferring(1, (int32_t)self, -1), 0), MMC_OK);
  }
}

static void keeper_check(uint32_t number, char *bytes) {
  char key[24];
  keeper_key(key, sizeof key, number);
  memset(bytes, 0, keeper_length(number));
  int32_t code;
  int64_t start_ms = now_ms();
  do {
    code = get_bytes(key, bytes, keeper_length(number));
  } while (code == MCG_LOCK_TIMEOUT && now_ms() - start_ms < 10000); /* as in traffic.c */
  CHECK_CODE(code, MMC_OK);
  CHECK(is_filled(bytes, keeper_length(number), number));
}

static bool is_alone(void) {
  for (uint32_t slot = 0; slot < CLIENT_SLOTS; slot++) {
    if (slot == pool.self) continue;
    if (client_state_of(atomic_load(&pool_client(slot)->state)) != CLIENT_FREE) return false;
  }
  return true;
}

static void keeper_audit(char *bytes) {
  UNTIL(is_alone());
  for (uint32_t number = 0; number < KEEPER_KEYS; number++) keeper_check(number, bytes);
  audit_pool();
}

static void keep(void *context) {
  _Atomic int *step = scene.board->step;
  struct traffic traffic;
  char *bytes = malloc(keeper_length(KEEPER_KEYS));
  CHECK_CODE(init_client(), MMC_OK);
  traffic_begin(&traffic, (uint64_t)(uintptr_t)context, CONTESTED_KEYS, 2);
  keeper_put_all(bytes);
  atomic_store(&step[DONE], 1);
  for (uint32_t turn = 0; atomic_load(&step[STOP]) == 0; turn++) {
    int64_t start_ns = now_ns();
    keeper_check(turn % KEEPER_KEYS, bytes);
    traffic_step(&traffic);
    int took_us = (int)((now_ns() - start_ns) / 1000);
    if (took_us > atomic_load(&step[SLOWEST_US])) atomic_store(&step[SLOWEST_US], took_us);
    if (atomic_load(&step[ASKED]) == atomic_load(&step[DONE])) continue;
    keeper_audit(bytes);
    atomic_store(&step[DONE], atomic_load(&step[ASKED]));
  }
  atomic_store(&step[READS], (int)traffic.reads);
  traffic_end(&traffic);
  free(bytes);
  mmc_uninit();
}

static void *fight(void *argument) {
  struct traffic traffic;
  traffic_begin(&traffic, (uint64_t)(uintptr_t)argument, CONTESTED_KEYS, 3);
  while (atomic_load(&scene.board->step[STOP]) == 0) traffic_step(&traffic);
  return NULL;
}

static void work(void *context) {
  pthread_t threads[THREADS];
  uintptr_t seed = (uintptr_t)context * 100;
  CHECK_CODE(init_client(), MMC_OK);
  for (uintptr_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, fight, (void *)(seed + i)) == 0);
  }
  for (;;) pause();
}

static int64_t longest_death_ns; /* from the signal until the process has ended */

/* A worker that ends by itself has found a fault. */
static void kill_worker(pid_t worker) {
  int status;
  int64_t start_ns = now_ns();
  CHECK(kill(worker, SIGKILL) == 0);
  CHECK(waitpid(worker, &status, 0) == worker);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  if (now_ns() - start_ns > longest_death_ns) longest_death_ns = now_ns() - start_ns;
}

static void ask_for_audit(pid_t *workers, uintptr_t *seed, int number) {
  _Atomic int *step = scene.board->step;
  for (int i = 0; i < WORKERS; i++) kill_worker(workers[i]);
  atomic_store(&step[ASKED], number);
  UNTIL(atomic_load(&step[DONE]) == number);
  for (int i = 0; i < WORKERS; i++) workers[i] = spawn(work, (void *)++*seed);
}

static void pause_us(uint64_t microseconds) {
  int64_t end_ns = now_ns() + (int64_t)microseconds * 1000;
  while (now_ns() < end_ns) usleep(200);
}

int run_stress_kills(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 200;
  uint64_t random = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t)now_ns();
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("stress_kills: %d rounds, seed %llu\n", rounds, (unsigned long long)random);
  uintptr_t seed = (uintptr_t)(random % 1000000007u);
  pid_t workers[WORKERS];
  scene_begin(16 * MIB);
  _Atomic int *step = scene.board->step;
  atomic_store(&step[ASKED], 1);
  pid_t keeper = spawn(keep, (void *)++seed);
  UNTIL(atomic_load(&step[DONE]) == 1);
  for (int i = 0; i < WORKERS; i++) workers[i] = spawn(work, (void *)++seed);
  for (int round = 1; round <= rounds; round++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    pause_us((random >> 33) % LONGEST_ROUND_US);
    uint32_t victim = (uint32_t)(random >> 20) % WORKERS;
    kill_worker(workers[victim]);
    workers[victim] = spawn(work, (void *)++seed);
    if (round % ROUNDS_PER_AUDIT == 0) ask_for_audit(workers, &seed, round + 1);
    if (round % 50 == 0) printf("stress_kills: round %d of %d\n", round, rounds);
  }
  for (int i = 0; i < WORKERS; i++) kill_worker(workers[i]);
  atomic_store(&step[STOP], 1);
  expect_success(keeper);
  int slowest_us = atomic_load(&step[SLOWEST_US]);
  printf("stress_kills: slowest turn of the keeper %.1f ms, longest death %.1f ms\n",
         slowest_us / 1000.0, (double)longest_death_ns / 1e6);
  /* Memory and locks of a killed process are free only when the process has ended. */
  CHECK(slowest_us < (RECOVERY_MS + SLACK_MS) * 1000 + longest_death_ns / 1000);
  printf("stress_kills: ok, %d contested objects read and checked\n", atomic_load(&step[READS]));
  scene_end();
  return 0;
}
