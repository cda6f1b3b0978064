/* See check.h. Children are forked before the parent has joined a pool. */
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int64_t now_ms(void) {
  return now_ns() / 1000000;
}

void pause_ms(int milliseconds) {
  struct timespec time = {milliseconds / 1000, (milliseconds % 1000) * 1000000l};
  nanosleep(&time, NULL);
}

void use_pool(const char *name, uint64_t bytes) {
  char number[32];
  snprintf(number, sizeof number, "%llu", (unsigned long long)bytes);
  setenv("MMC_EMBEDDED_POOL", name, 1);
  setenv("MMC_EMBEDDED_BYTES", number, 1);
  /* Except in eviction.c, a put that does not fit fails, as in the distributed engine. */
  setenv("MMC_EMBEDDED_EVICT", "threshold", 0);
}

void unique_pool_name(char *name, size_t room) {
  static int count;
  snprintf(name, room, "mcg-%u-test-%d-%d", (unsigned)geteuid(), (int)getpid(), count++);
}

bool pool_exists(const char *name) {
  char path[300];
  snprintf(path, sizeof path, "/dev/shm/%s", name);
  return access(path, F_OK) == 0;
}

int32_t init_client(void) {
  mmc_init_config config = {0, true};
  return mmc_init(&config);
}

mmc_put_options options_for(uint16_t replicas) {
  mmc_put_options options;
  memset(&options, 0, sizeof options);
  options.mediaType = 1;
  options.replicaNum = replicas;
  for (unsigned i = 0; i < MMC_MAX_REPLICAS; i++) {
    options.preferredLocalServiceIDs[i] = MMC_NO_PREFERENCE;
  }
  return options;
}

mmc_put_options options_preferring(uint16_t replicas, int32_t first, int32_t second) {
  mmc_put_options options = options_for(replicas);
  options.preferredLocalServiceIDs[0] = first;
  options.preferredLocalServiceIDs[1] = second;
  return options;
}

mmc_buffer buffer_of(void *bytes, uint64_t length) {
  return (mmc_buffer){(uint64_t)(uintptr_t)bytes, MMC_MEDIUM_DRAM, 0, length};
}

int32_t put_bytes(const char *key, const void *bytes, uint64_t length) {
  mmc_buffer buffer = buffer_of((void *)(uintptr_t)bytes, length);
  return mmcc_put(key, &buffer, options_for(1), 0);
}

int32_t get_bytes(const char *key, void *bytes, uint64_t length) {
  mmc_buffer buffer = buffer_of(bytes, length);
  return mmcc_get(key, &buffer, 0);
}

mmc_data_info query(const char *key) {
  mmc_data_info info;
  memset(&info, 0xee, sizeof info);
  CHECK_CODE(mmcc_query(key, &info, 0), MMC_OK);
  return info;
}

static uint64_t mix(uint64_t seed, uint64_t index) {
  uint64_t value = (seed + 1) * 0x9e3779b97f4a7c15u + index * 0xd1b54a32d192ed03u;
  value ^= value >> 29;
  value *= 0xbf58476d1ce4e5b9u;
  return value ^ value >> 32;
}

void fill(void *bytes, uint64_t length, uint64_t seed) {
  char *at = bytes;
  uint64_t index = 0;
  for (; length >= 8; length -= 8, at += 8, index++) {
    uint64_t word = mix(seed, index);
    memcpy(at, &word, 8);
  }
  uint64_t word = mix(seed, index);
  memcpy(at, &word, length);
}

bool is_filled(const void *bytes, uint64_t length, uint64_t seed) {
  const char *at = bytes;
  uint64_t index = 0;
  for (; length >= 8; length -= 8, at += 8, index++) {
    uint64_t word = mix(seed, index);
    if (memcmp(at, &word, 8) != 0) return false;
  }
  uint64_t word = mix(seed, index);
  return memcmp(at, &word, length) == 0;
}

pid_t spawn(void (*body)(void *context), void *context) {
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  body(context);
  fflush(NULL);
  _exit(0);
}

void expect_success(pid_t child) {
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void leave_pool_without_clients(const char *name, void (*body)(void *context)) {
  int tries = 0;
  do {
    CHECK(tries++ < 50);
    expect_success(spawn(body, NULL));
  } while (!pool_exists(name));
}

void kill_now(pid_t child) {
  int status;
  CHECK(kill(child, SIGKILL) == 0);
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

struct board *make_board(void) {
  void *shared = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  return shared;
}
