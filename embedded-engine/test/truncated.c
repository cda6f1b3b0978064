/*
 * Clients truncate shared memory while threads put and get with it. Also the faults that are not of a
 * region. Argument: number of truncations.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "programs.h"
#include "regions.h"

#define THREADS 3
#define VALUE_BYTES (512ull << 10)
#define REGION_BYTES (THREADS * 2 * VALUE_BYTES)

/* In each round all threads copy, and the memory gets shorter in the middle. */
struct round {
  uint64_t address;
  _Atomic int begun;
  atomic_bool stopping;
};

struct worker {
  struct round *round;
  int number;
};

static _Atomic uint64_t copies;

static void *copy(void *argument) {
  struct worker *worker = argument;
  struct round *round = worker->round;
  char key[16];
  snprintf(key, sizeof key, "round-%d", worker->number);
  char *from = (char *)(uintptr_t)round->address + (size_t)worker->number * 2 * VALUE_BYTES;
  CHECK_CODE(mcg_regions_check(), 0);
  atomic_fetch_add(&round->begun, 1);
  while (!atomic_load(&round->stopping)) {
    CHECK_CODE(put_bytes(key, from, VALUE_BYTES), MMC_OK);
    CHECK_CODE(get_bytes(key, from + VALUE_BYTES, VALUE_BYTES), MMC_OK);
    CHECK_CODE(mmcc_remove(key, 0), MMC_OK);
    atomic_fetch_add_explicit(&copies, 1, memory_order_relaxed);
  }
  return NULL;
}

static int open_memory(uint64_t bytes) {
  char name[64];
  snprintf(name, sizeof name, "/mcg-truncated-%d", (int)getpid());
  int descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(descriptor >= 0);
  CHECK(shm_unlink(name) == 0);
  CHECK(ftruncate(descriptor, (off_t)bytes) == 0);
  return descriptor;
}

static void truncate_once(int count) {
  struct round round = {0};
  struct worker workers[THREADS];
  pthread_t threads[THREADS];
  int descriptor = open_memory(REGION_BYTES);
  int region = mcg_region_map(descriptor, 0, REGION_BYTES, &round.address);
  CHECK(region >= 0);
  fill((void *)(uintptr_t)round.address, REGION_BYTES, 7);
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){&round, i};
    CHECK(pthread_create(&threads[i], NULL, copy, &workers[i]) == 0);
  }
  UNTIL(atomic_load(&round.begun) == THREADS);
  CHECK_CODE(mcg_region_broken(region), 0);
  CHECK(ftruncate(descriptor, (off_t)((uint64_t)count * 37 % 5 * VALUE_BYTES)) == 0);
  UNTIL(mcg_region_broken(region) == 1);
  atomic_store(&round.stopping, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  CHECK_CODE(mcg_region_unmap(region), 0);
  CHECK_CODE(mcg_region_broken(region), -EINVAL);
  close(descriptor);
}

/* Reads a byte of a page that a file does not have; the page belongs to no region. */
static void read_missing_page(void) {
  int descriptor = open_memory(4096);
  char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, descriptor, 0);
  CHECK(page != MAP_FAILED);
  CHECK(ftruncate(descriptor, 0) == 0);
  CHECK(*(volatile char *)page == 0);
}

static void end_well(int number, siginfo_t *info, void *context) {
  sigset_t blocked;
  (void)context;
  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  bool has_mask = sigismember(&blocked, SIGUSR1) == 1 && sigismember(&blocked, SIGBUS) == 1;
  _exit(has_mask && number == SIGBUS && info->si_addr != NULL ? 77 : 1);
}

static void fault_with_previous(void *context) {
  struct sigaction action = {.sa_sigaction = end_well, .sa_flags = SA_SIGINFO};
  (void)context;
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGUSR1);
  CHECK(sigaction(SIGBUS, &action, NULL) == 0);
  CHECK_CODE(mcg_regions_install(), 0);
  read_missing_page();
}

static void install_on(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigemptyset(&action.sa_mask);
  CHECK(sigaction(SIGBUS, &action, NULL) == 0);
  CHECK_CODE(mcg_regions_install(), 0);
}

static void fault_with_default(void *context) {
  (void)context;
  install_on(SIG_DFL);
  read_missing_page();
}

static void fault_while_ignored(void *context) {
  (void)context;
  install_on(SIG_IGN);
  CHECK(raise(SIGBUS) == 0); /* ignored, as before */
  read_missing_page();
}

/* Another process sends the signal: it ends this one, whatever address the signal carries. */
static void signalled(void *context) {
  (void)context;
  install_on(SIG_DFL);
  raise(SIGBUS);
}

static void block_in_a_thread(void *context) {
  sigset_t blocked;
  (void)context;
  CHECK_CODE(mcg_regions_check(), -ENOENT);
  install_on(SIG_DFL);
  CHECK_CODE(mcg_regions_check(), 0);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGBUS);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  CHECK_CODE(mcg_regions_check(), -EPERM);
}

/* How a child ends that has not installed the handler yet. */
static int end_of(void (*body)(void *context)) {
  int status;
  pid_t child = spawn(body, NULL);
  CHECK(waitpid(child, &status, 0) == child);
  return status;
}

static void pass_faults_on(void) {
  int status = end_of(fault_with_previous);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 77);
  status = end_of(fault_with_default);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
  status = end_of(fault_while_ignored);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
  status = end_of(signalled);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
  expect_success(spawn(block_in_a_thread, NULL));
}

/* Offsets inside a page, and sizes that are none. */
static void check_ranges(void) {
  uint64_t address = 0;
  int descriptor = open_memory(3 * 4096);
  CHECK_CODE(mcg_region_map(descriptor, 0, 0, &address), -EINVAL);
  CHECK_CODE(mcg_region_map(descriptor, 0, UINT64_MAX, &address), -EINVAL);
  CHECK_CODE(mcg_region_map(descriptor, INT64_MAX, 4096, &address), -EOVERFLOW);
  CHECK_CODE(mcg_region_map(descriptor, UINT64_MAX - 4095, 4096, &address), -EOVERFLOW);
  CHECK_CODE(mcg_region_map(-1, 0, 4096, &address), -EBADF);
  CHECK(pwrite(descriptor, "inside", 6, 4196) == 6);
  int region = mcg_region_map(descriptor, 4196, 6, &address);
  CHECK(region >= 0 && mcg_regions_count() == 1);
  CHECK(memcmp((void *)(uintptr_t)address, "inside", 6) == 0);
  char copied[6] = {0};
  struct mcg_piece pieces[] = {{(uint64_t)(uintptr_t)copied, address + 2, 4}, {(uint64_t)(uintptr_t)copied + 4, address, 2}};
  CHECK_CODE(mcg_regions_copy(pieces, 2), 0);
  CHECK(memcmp(copied, "sidein", 6) == 0);
  CHECK_CODE(mcg_region_unmap(region), 0);
  CHECK_CODE(mcg_region_unmap(region), -EINVAL);
  CHECK_CODE(mcg_region_unmap(-1), -EINVAL);
  CHECK_CODE(mcg_region_unmap(MCG_MAX_REGIONS), -EINVAL);
  for (int i = 0; i < MCG_MAX_REGIONS; i++) CHECK(mcg_region_map(descriptor, 0, 4096, &address) >= 0);
  CHECK_CODE(mcg_region_map(descriptor, 0, 4096, &address), -ENOSPC);
  for (int i = 0; i < MCG_MAX_REGIONS; i++) CHECK_CODE(mcg_region_unmap(i), 0);
  CHECK(mcg_regions_count() == 0);
  close(descriptor);
}

int run_truncated(int count, char **arguments) {
  char name[64];
  int rounds = count > 1 ? atoi(arguments[1]) : 200;
  pass_faults_on();
  CHECK_CODE(mcg_regions_install(), 0);
  CHECK_CODE(mcg_regions_install(), 0);
  check_ranges();
  unique_pool_name(name, sizeof name);
  use_pool(name, 64ull << 20);
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < rounds; i++) truncate_once(i);
  mmc_uninit();
  printf("truncated: ok, %d truncations, %llu values copied in and out\n", rounds,
         (unsigned long long)copies);
  return 0;
}
