/* Shared by the engine's test programs: checks, deterministic bytes, child processes, waits. */
#ifndef MCG_TEST_CHECK_H
#define MCG_TEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "mmc_abi.h"

#define CHECK(condition)                                                               \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition);          \
      abort();                                                                         \
    }                                                                                  \
  } while (0)

#define CHECK_CODE(expression, expected)                                               \
  do {                                                                                 \
    long long got_ = (expression);                                                     \
    if (got_ != (expected)) {                                                          \
      fprintf(stderr, "%s:%d: %s is %lld, not %s\n", __FILE__, __LINE__, #expression, \
              got_, #expected);                                                        \
      abort();                                                                         \
    }                                                                                  \
  } while (0)

/* Waits until the condition holds, at most ten seconds. */
#define UNTIL(condition)                                                               \
  do {                                                                                 \
    int64_t start_ = now_ms();                                                         \
    while (!(condition)) {                                                             \
      CHECK(now_ms() - start_ < 10000);                                                \
      pause_ms(1);                                                                     \
    }                                                                                  \
  } while (0)

int64_t now_ms(void);
int64_t now_ns(void);
void pause_ms(int milliseconds);

/* Sets the environment for the next init: a pool name and a contribution. */
void use_pool(const char *name, uint64_t bytes);
void unique_pool_name(char *name, size_t room);
bool pool_exists(const char *name);

int32_t init_client(void);
mmc_put_options options_for(uint16_t replicas);
mmc_put_options options_preferring(uint16_t replicas, int32_t first, int32_t second);
mmc_buffer buffer_of(void *bytes, uint64_t length);

int32_t put_bytes(const char *key, const void *bytes, uint64_t length);
int32_t get_bytes(const char *key, void *bytes, uint64_t length);
mmc_data_info query(const char *key);

/* Bytes that follow from a seed, so that each one can be checked. */
void fill(void *bytes, uint64_t length, uint64_t seed);
bool is_filled(const void *bytes, uint64_t length, uint64_t seed);

/* A child process that runs `body` and then exits; one that will be killed may loop. */
pid_t spawn(void (*body)(void *context), void *context);
void expect_success(pid_t child);

/*
 * Runs `body`, a client that ends without leaving its pool, in a process of its own, until the pool
 * remains. A client of any other program on this machine may remove such a pool at once.
 */
void leave_pool_without_clients(const char *name, void (*body)(void *context));
void kill_now(pid_t child);

/* Steps that processes report to each other in shared memory. */
struct board {
  _Atomic int step[16];
};
struct board *make_board(void);

#endif
