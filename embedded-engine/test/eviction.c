/* Eviction by size: a put that does not fit below 90 % evicts the least recently used objects. */
#include <pthread.h>
#include <string.h>

#include "programs.h"
#include "scene.h"

#define POOL (16 * MIB)

static char *bytes;

/* The rule is that of this process; it is read at init. */
static void begin(const char *rule) {
  scene_begin(POOL);
  setenv("MMC_EMBEDDED_EVICT", rule, 1);
}

static void put_mib(const char *prefix, int number, uint64_t mib) {
  char key[32];
  snprintf(key, sizeof key, "%s-%d", prefix, number);
  fill(bytes, mib * MIB, (uint64_t)number);
  CHECK_CODE(put_bytes(key, bytes, mib * MIB), MMC_OK);
}

static bool has(const char *prefix, int number) {
  char key[32];
  snprintf(key, sizeof key, "%s-%d", prefix, number);
  return query(key).valid;
}

static void evicts_the_oldest(void) {
  begin("size");
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < 14; i++) put_mib("one", i, 1);
  CHECK_CODE(get_bytes("one-0", bytes, MIB), MMC_OK);
  put_mib("four", 4, 4);
  CHECK(has("one", 0) && !has("one", 1) && has("one", 13));
  CHECK_CODE(get_bytes("four-4", bytes, 4 * MIB), MMC_OK);
  CHECK(is_filled(bytes, 4 * MIB, 4));
  mmc_uninit();
  scene_end();
}

static void keeps_all_where_nothing_helps(void) {
  begin("size");
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < 14; i++) put_mib("one", i, 1);
  CHECK_CODE(put_bytes("huge", bytes, POOL + 1), MMC_ERROR);
  CHECK_CODE(put_bytes("one-5", bytes, 4 * MIB), MMC_ERROR); /* the key exists */
  mmc_buffer buffer = buffer_of(bytes, 4 * MIB);
  CHECK_CODE(mmcc_put("far", &buffer, options_preferring(1, 1, -1), 0), MMC_ERROR);
  for (int i = 0; i < 14; i++) CHECK(has("one", i));
  CHECK_CODE(put_bytes("all", bytes, POOL), MMC_OK);
  for (int i = 0; i < 14; i++) CHECK(!has("one", i));
  mmc_uninit();
  scene_end();
}

/* Each second object is removed, so that no two free granules of 1 MiB are neighbours. */
static void finds_space_between_fragments(void) {
  char key[32];
  begin("size");
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < 14; i++) put_mib("one", i, 1);
  for (int i = 0; i < 14; i += 2) {
    snprintf(key, sizeof key, "one-%d", i);
    CHECK_CODE(mmcc_remove(key, 0), MMC_OK);
  }
  for (int i = 0; i < 40; i++) put_mib("six", i, 6);
  CHECK(has("six", 39) && !has("six", 36));
  mmc_uninit();
  scene_end();
}

/* The child is client 0; this process, client 1, puts into the memory of both. */
static void evicts_only_where_it_puts(void) {
  begin("size");
  pid_t child = spawn(stay, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  fill(bytes, 4 * MIB, 1);
  mmc_buffer one = buffer_of(bytes, MIB);
  mmc_buffer four = buffer_of(bytes, 4 * MIB);
  char key[32];
  for (int i = 0; i < 14; i++) {
    for (int service = 0; service < 2; service++) {
      snprintf(key, sizeof key, "%d-%d", service, i);
      CHECK_CODE(mmcc_put(key, &one, options_preferring(1, service, -1), 0), MMC_OK);
    }
  }
  CHECK_CODE(mmcc_put("own", &four, options_preferring(1, 1, -1), 0), MMC_OK);
  CHECK(!has("1", 0));
  for (int i = 0; i < 14; i++) CHECK(has("0", i));
  CHECK_CODE(mmcc_put("other", &four, options_preferring(1, 0, -1), 0), MMC_OK);
  CHECK(!has("0", 0) && has("1", 13) && has("0", 13));
  CHECK(query("own").valid);
  /* Without a preference the memory of the caller is first. */
  CHECK_CODE(mmcc_put("any", &four, options_for(1), 0), MMC_OK);
  CHECK(query("other").valid && has("0", 13) && !has("1", 4));
  /* For two replicas, room is made in both. */
  CHECK_CODE(mmcc_put("both", &four, options_for(2), 0), MMC_OK);
  CHECK(query("both").numBlobs == 2);
  say_step(2);
  expect_success(child);
  mmc_uninit();
  scene_end();
}

/* The child is client 0 and reads "big" from the memory of this process, which is client 1. */
static void keeps_an_object_that_is_read(void) {
  begin("size");
  pid_t child = spawn(read_big_repeatedly, NULL);
  wait_for_step(1);
  use_pool(scene.pool, BIG + 8 * MIB);
  CHECK_CODE(init_client(), MMC_OK);
  char *big = malloc(BIG);
  fill(big, BIG, 7);
  mmc_buffer buffer = buffer_of(big, BIG);
  CHECK_CODE(mmcc_put("big", &buffer, options_preferring(1, 1, -1), 0), MMC_OK);
  say_step(2);
  stop_while(child, big_is_half_read);
  say_step(3);
  mmc_buffer small = buffer_of(bytes, 3 * MIB);
  for (int i = 0; i < 8; i++) {
    char key[32];
    snprintf(key, sizeof key, "beside-%d", i);
    CHECK_CODE(mmcc_put(key, &small, options_preferring(1, 1, -1), 0), MMC_OK);
    CHECK(query("big").valid);
  }
  resume(child);
  wait_for_step(4);
  say_step(5);
  expect_success(child);
  free(big);
  mmc_uninit();
  scene_end();
}

static void follows_the_rule_of_the_distributed_engine_on_request(void) {
  begin("threshold");
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < 14; i++) put_mib("one", i, 1);
  CHECK_CODE(put_bytes("four", bytes, 4 * MIB), MMC_ERROR);
  for (int i = 0; i < 14; i++) CHECK(has("one", i));
  mmc_uninit();
  setenv("MMC_EMBEDDED_EVICT", "sizes", 1);
  CHECK_CODE(init_client(), MMC_INVALID_PARAM);
  scene_end();
}

static void *put_and_check(void *context) {
  int self = *(int *)context;
  char *own = malloc(4 * MIB);
  char key[32];
  for (int round = 0; round < 150; round++) {
    uint64_t size = MIB / 2 + (uint64_t)((self * 7 + round * 13) % 7) * MIB / 2;
    uint64_t seed = (uint64_t)(self * 1000 + round);
    snprintf(key, sizeof key, "%d/%d", self, round);
    fill(own, size, seed);
    int32_t code = put_bytes(key, own, size);
    CHECK(code == MMC_OK || code == MMC_ERROR); /* others took the space that was freed */
    memset(own, 0, size);
    code = get_bytes(key, own, size);
    CHECK(code == MMC_ERROR || (code == MMC_OK && is_filled(own, size, seed)));
  }
  free(own);
  return NULL;
}

static void serves_threads_that_contend_for_space(void) {
  pthread_t threads[4];
  int numbers[4];
  begin("size");
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < 4; i++) {
    numbers[i] = i;
    CHECK(pthread_create(&threads[i], NULL, put_and_check, &numbers[i]) == 0);
  }
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK_CODE(put_bytes("whole", bytes, POOL), MMC_OK);
  mmc_uninit();
  scene_end();
}

int run_eviction(int count, char **arguments) {
  (void)count;
  (void)arguments;
  bytes = malloc(POOL + 1);
  CHECK(bytes != NULL);
  evicts_the_oldest();
  keeps_all_where_nothing_helps();
  finds_space_between_fragments();
  evicts_only_where_it_puts();
  keeps_an_object_that_is_read();
  follows_the_rule_of_the_distributed_engine_on_request();
  serves_threads_that_contend_for_space();
  free(bytes);
  puts("eviction: ok");
  return 0;
}
