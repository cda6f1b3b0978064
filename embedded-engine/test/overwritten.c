/*
 * Another program overwrites a part of a pool's file with ones, zeros or random bytes, while a
 * client uses the pool or before one joins. No client may crash or hang. If the engine can detect
 * the damage, all clients leave, and the next one creates the pool again. Argument: number of seeds.
 */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pool.h"
#include "programs.h"
#include "scene.h"

#define POOL_BYTES (4 * MIB)
#define LIFE_SECONDS 30 /* a client that runs longer hangs */
#define UNNOTICED_MS 150
#define OPERATIONS_PER_MS 32 /* at most; more would only keep a processor busy */
#define KEYS 256u
#define MAX_VALUE_BYTES 40000u

enum { NOTICED = 1, UNNOTICED };

struct part {
  const char *name;
  uint64_t start;
  uint64_t bytes;
  bool certain; /* every pattern must be detected */
};

struct pattern {
  const char *name;
  uint64_t (*word)(uint64_t *random, uint64_t before);
};

static uint64_t next_random(uint64_t *random) {
  *random = *random * 6364136223846793005u + 1442695040888963407u;
  return *random ^ *random >> 29;
}

static uint64_t ones(uint64_t *random, uint64_t before) {
  (void)random;
  (void)before;
  return ~0ull;
}

static uint64_t zeros(uint64_t *random, uint64_t before) {
  (void)random;
  (void)before;
  return 0;
}

static uint64_t noise(uint64_t *random, uint64_t before) {
  (void)before;
  return next_random(random);
}

/* Changes one word in fifty, so that most of the data around it stays valid. */
static uint64_t sprinkled_noise(uint64_t *random, uint64_t before) {
  return next_random(random) % 50 == 0 ? next_random(random) : before;
}

/* Replaces one word in fifty by a number that is plausible for a link, a size or an offset. */
static uint64_t sprinkled_numbers(uint64_t *random, uint64_t before) {
  return next_random(random) % 50 == 0 ? next_random(random) % 5000 : before;
}

static const struct pattern patterns[] = {{"ones", ones},
                                          {"zeros", zeros},
                                          {"noise", noise},
                                          {"sprinkled noise", sprinkled_noise},
                                          {"sprinkled numbers", sprinkled_numbers}};
enum { PATTERNS = sizeof patterns / sizeof *patterns, WHOLE_PATTERNS = 3 };

#define BEHIND_SEED offsetof(struct pool_header, live_services)

static const struct part parts[] = {
    {"header", 0, sizeof(struct pool_header), true},
    {"behind the seed", BEHIND_SEED, sizeof(struct pool_header) - BEHIND_SEED, true},
    {"clients", offsetof(struct pool_header, clients), 2 * sizeof(struct client), true},
    {"chunk map", CHUNK_MAP_OFFSET, 64, true},
    {"shards", SHARDS_OFFSET, SHARDS * sizeof(struct shard), false},
    {"entries", ENTRIES_OFFSET, 64 * CHUNK_BYTES, true},
    /* Summaries and bits of the first segment. */
    {"bitmaps", ROUND_UP(BASE_BYTES, 2 * MIB),
     4 * (sizeof(struct group_summary) + GROUP_WORDS * 8), false}};
enum { PARTS = sizeof parts / sizeof *parts };

static void overwrite(const struct part *part, const struct pattern *pattern, uint64_t random) {
  uint64_t bytes = part->bytes / 8 * 8;
  uint64_t *words = (uint64_t *)scene.shared; /* not the heap, which is copied after each fork */
  int descriptor = shm_open(scene.pool, O_RDWR, 0);
  CHECK(descriptor >= 0 && bytes <= BIG);
  CHECK(pread(descriptor, words, bytes, (off_t)part->start) == (ssize_t)bytes);
  for (uint64_t i = 0; i < bytes / 8; i++) words[i] = pattern->word(&random, words[i]);
  CHECK(pwrite(descriptor, words, bytes, (off_t)part->start) == (ssize_t)bytes);
  close(descriptor);
}

static void key_of(char *key, size_t room, uint64_t number) {
  snprintf(key, room, "key-%llu", (unsigned long long)(number % KEYS));
}

/* A random operation. Its result may be wrong, but it must return. */
static int32_t use_once(uint64_t *random, char *value) {
  char key[24];
  mmc_data_info info;
  const char *keys[2] = {key, "another"};
  int32_t results[2];
  key_of(key, sizeof key, next_random(random));
  uint64_t bytes = 1 + next_random(random) % MAX_VALUE_BYTES;
  switch (next_random(random) % 6) {
    case 0:
    case 1:
      return put_bytes(key, value, bytes);
    case 2: {
      int32_t code = mmcc_query(key, &info, 0);
      bool fits = code == MMC_OK && info.valid && info.size <= MAX_VALUE_BYTES;
      return fits ? get_bytes(key, value, info.size) : code;
    }
    case 3:
      return mmcc_exist(key, 0);
    case 4:
      return mmcc_batch_exist(keys, 2, results, 0);
    default:
      return mmcc_remove(key, 0);
  }
}

/* Returns true when the client has left the pool. */
static bool use_until_noticed(uint64_t random) {
  static char value[MAX_VALUE_BYTES];
  int64_t start_ms = now_ms();
  for (int i = 1; now_ms() - start_ms < UNNOTICED_MS; i++) {
    if (i % OPERATIONS_PER_MS == 0) pause_ms(1);
    if (use_once(&random, value) != MMC_CLIENT_NOT_INIT) continue;
    UNTIL(mmc_embedded_is_member() == 0);
    return true;
  }
  return mmc_embedded_is_member() == 0;
}

/* Fills the pool with objects of many sizes and releases some space. */
static void fill_pool(uint64_t random) {
  static char value[MAX_VALUE_BYTES];
  for (int i = 0; i < 1000; i++) {
    CHECK(use_once(&random, value) != MMC_CLIENT_NOT_INIT);
  }
}

static void use_from_step_2(void *random) {
  static char value[MAX_VALUE_BYTES];
  uint64_t own = (uint64_t)(uintptr_t)random;
  alarm(LIFE_SECONDS);
  CHECK_CODE(init_client(), MMC_OK);
  fill_pool(own);
  say_step(1);
  while (atomic_load(&scene.board->step[0]) < 2) use_once(&own, value);
  bool noticed = use_until_noticed(own);
  mmc_uninit();
  atomic_store(&scene.board->step[1], noticed ? NOTICED : UNNOTICED);
}

static void check_new_pool(void) {
  char out[5];
  CHECK_CODE(init_client(), MMC_OK);
  for (unsigned number = 0; number < KEYS; number++) {
    char key[24];
    key_of(key, sizeof key, number);
    CHECK_CODE(mmcc_exist(key, 0), MMC_UNMATCHED_KEY);
  }
  CHECK_CODE(put_bytes("new", "bytes", 5), MMC_OK);
  CHECK_CODE(get_bytes("new", out, sizeof out), MMC_OK);
  CHECK(memcmp(out, "bytes", sizeof out) == 0);
  mmc_uninit();
}

static bool while_a_client_uses_it(const struct part *part, const struct pattern *pattern,
                                   uint64_t random) {
  scene_begin(POOL_BYTES);
  pid_t child = spawn(use_from_step_2, (void *)(uintptr_t)random);
  wait_for_step(1);
  overwrite(part, pattern, random);
  say_step(2);
  expect_success(child);
  bool noticed = atomic_load(&scene.board->step[1]) == NOTICED;
  check_new_pool();
  scene_end();
  return noticed;
}

static void join_and_use(void *random) {
  alarm(LIFE_SECONDS);
  int32_t code = init_client();
  if (code == MMC_OK) use_until_noticed((uint64_t)(uintptr_t)random);
  mmc_uninit();
  CHECK(code == MMC_OK || code == MMC_ERROR);
}

/* The first client is stopped, so it cannot notice the damage before the other one joins. */
static void before_a_client_joins(const struct part *part, const struct pattern *pattern,
                                  uint64_t random) {
  scene_begin(POOL_BYTES);
  pid_t child = spawn(use_from_step_2, (void *)(uintptr_t)random);
  wait_for_step(1);
  stop(child);
  overwrite(part, pattern, random);
  expect_success(spawn(join_and_use, (void *)(uintptr_t)random));
  say_step(2);
  resume(child);
  expect_success(child);
  check_new_pool();
  scene_end();
}

int run_overwritten(int count, char **arguments) {
  uint64_t seeds = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
  int pools = 0, noticed = 0;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    for (int part = 0; part < PARTS; part++) {
      for (int pattern = 0; pattern < PATTERNS; pattern++, pools++) {
        fprintf(stderr, "overwritten: %s with %s, seed %llu\n", parts[part].name,
                patterns[pattern].name, (unsigned long long)seed);
        bool seen = while_a_client_uses_it(&parts[part], &patterns[pattern], seed);
        noticed += seen;
        if (parts[part].certain && pattern < WHOLE_PATTERNS) CHECK(seen);
        before_a_client_joins(&parts[part], &patterns[pattern], seed);
      }
    }
  }
  printf("overwritten: ok, %d of %d noticed by the client that used the pool\n", noticed, pools);
  return 0;
}
