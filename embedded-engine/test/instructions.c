/*
 * Single-steps a client through puts, a get and removes, and kills it after every `stride`-th
 * instruction of each. After each death the survivor must still have all its objects, and the pool
 * must be as before. Argument: stride.
 */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "pool.h"
#include "programs.h"
#include "scene.h"

#define VALUE_BYTES 700u
#define OWN_KEYS 40

static char value[VALUE_BYTES];
static char out[VALUE_BYTES];

static void put_replicated(void) {
  mmc_buffer buffer = buffer_of(value, sizeof value);
  mmcc_put("replicated", &buffer, options_for(2), 0);
}

static void put_single(void) {
  put_bytes("single", value, sizeof value);
}

static void get_anothers(void) {
  get_bytes("own-3", out, sizeof out);
}

static void put_again(void) {
  put_bytes("own-5", value, sizeof value);
}

static void remove_replicated(void) {
  mmcc_remove("replicated", 0);
}

static void remove_single(void) {
  mmcc_remove("single", 0);
}

static void (*const sequence[])(void) = {put_replicated, put_single,        get_anothers,
                                         put_again,      remove_replicated, remove_single};
enum { OPERATIONS = sizeof sequence / sizeof *sequence };

/*
 * Runs the whole sequence once, so that all symbols are resolved and all pages are mapped. Then runs
 * it again up to the operation that is single-stepped.
 */
static void be_stepped(void *context) {
  int operation = (int)(intptr_t)context;
  CHECK_CODE(init_client(), MMC_OK);
  fill(value, sizeof value, 1);
  for (int i = 0; i < OPERATIONS; i++) sequence[i]();
  for (int i = 0; i < operation; i++) sequence[i]();
  CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
  raise(SIGSTOP);
  sequence[operation]();
  raise(SIGUSR1); /* shows the parent that the operation has ended */
  for (;;) pause();
}

/* False if the operation has ended before. */
static bool step_and_kill(pid_t child, long steps) {
  int status;
  bool within = true;
  CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
  for (long step = 0; step < steps && within; step++) {
    CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
    CHECK(waitpid(child, &status, __WALL) == child && WIFSTOPPED(status));
    within = WSTOPSIG(status) != SIGUSR1;
  }
  CHECK(kill(child, SIGKILL) == 0);
  CHECK(waitpid(child, &status, __WALL) == child && WIFSIGNALED(status));
  return within;
}

static void own_key(char *key, size_t room, int number) {
  snprintf(key, room, "own-%d", number);
}

static void put_own(void) {
  char key[24], bytes[VALUE_BYTES];
  for (int number = 0; number < OWN_KEYS; number++) {
    own_key(key, sizeof key, number);
    fill(bytes, sizeof bytes, (uint64_t)number);
    CHECK_CODE(put_bytes(key, bytes, sizeof bytes), MMC_OK);
  }
}

static void check_own(void) {
  char key[24];
  for (int number = 0; number < OWN_KEYS; number++) {
    own_key(key, sizeof key, number);
    CHECK_CODE(get_bytes(key, out, sizeof out), MMC_OK);
    CHECK(is_filled(out, sizeof out, (uint64_t)number));
  }
}

/* If the put was committed, the replica in the survivor's memory stays and is complete. */
static void check_replicated(void) {
  int32_t code = mmcc_exist("replicated", 0);
  CHECK(code == MMC_OK || code == MMC_UNMATCHED_KEY);
  if (code == MMC_UNMATCHED_KEY) return;
  CHECK_CODE(get_bytes("replicated", out, sizeof out), MMC_OK);
  CHECK(is_filled(out, sizeof out, 1));
  CHECK_CODE(mmcc_remove("replicated", 0), MMC_OK);
}

static bool is_swept(void) {
  return client_state_of(atomic_load(&pool_client(1)->state)) == CLIENT_FREE;
}

static bool may_trace(void) {
  pid_t child = fork();
  if (child == 0) _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Checks the survivor's pool; returns how long the dead client's object was still visible. */
static int64_t check_pool(void) {
  int64_t start_ms = now_ms();
  check_own();
  UNTIL(mmcc_exist("single", 0) == MMC_UNMATCHED_KEY);
  int64_t took_ms = now_ms() - start_ms;
  UNTIL(is_swept());
  check_replicated();
  audit_pool();
  CHECK(pool_measure_use().used_bytes == OWN_KEYS * 768);
  return took_ms;
}

int run_instructions(int count, char **arguments) {
  long stride = count > 1 ? atol(arguments[1]) : 1;
  long deaths = 0;
  int64_t slowest_ms = 0;
  if (!may_trace()) {
    puts("instructions: skipped, because tracing a child process is not permitted");
    return 0;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  scene_begin(MIB);
  CHECK_CODE(init_client(), MMC_OK);
  put_own();
  for (intptr_t operation = 0; operation < OPERATIONS; operation++) {
    long steps = operation % stride; /* another residue for each operation */
    for (bool within = true; within; steps += stride, deaths++) {
      within = step_and_kill(spawn(be_stepped, (void *)operation), steps);
      int64_t took_ms = check_pool();
      if (took_ms > slowest_ms) slowest_ms = took_ms;
    }
    printf("instructions: operation %d of %d, about %ld instructions\n", (int)operation + 1,
           OPERATIONS, steps - stride);
  }
  printf("instructions: ok, %ld deaths, slowest recovery %lld ms\n", deaths,
         (long long)slowest_ms);
  CHECK(slowest_ms < RECOVERY_MS + SLACK_MS);
  mmc_uninit();
  scene_end();
  return 0;
}
