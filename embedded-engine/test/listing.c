/* The keys of the pool page by page, and its numbers. */
#include <pthread.h>
#include <string.h>

#include "programs.h"
#include "scene.h"

#define POOL (16 * MIB)
#define KEYS 3000u
#define ROOM(limit) ((uint64_t)(limit) * (MMC_MAX_KEY_BYTES + 1))

static char page_bytes[ROOM(MMC_EMBEDDED_MAX_LIST)];

static mmc_embedded_key_page page_of(uint32_t limit) {
  return (mmc_embedded_key_page){.keys = page_bytes, .bytes = ROOM(limit), .limit = limit};
}

static mmc_embedded_pool_stats stats_now(void) {
  mmc_embedded_pool_stats stats = {.bytes = sizeof stats};
  CHECK_CODE(mmc_embedded_stats(&stats), MMC_OK);
  CHECK(stats.bytes == sizeof stats);
  return stats;
}

static void put_small(const char *key) {
  CHECK_CODE(put_bytes(key, "value", 5), MMC_OK);
}

/* Calls `take` with each key, from pages of this limit. Returns the number of pages. */
static uint32_t list_all(const char *prefix, uint32_t limit, void (*take)(const char *key)) {
  char after[MMC_MAX_KEY_BYTES + 1] = "";
  uint32_t pages = 0;
  for (;;) {
    mmc_embedded_key_page page = page_of(limit);
    CHECK_CODE(mmc_embedded_list(prefix, after, &page), MMC_OK);
    CHECK(page.count <= limit);
    pages++;
    const char *key = page.keys;
    for (uint32_t i = 0; i < page.count; i++) {
      CHECK(strcmp(key, after) > 0 && strncmp(key, prefix, strlen(prefix)) == 0);
      strcpy(after, key);
      take(key);
      key += strlen(key) + 1;
    }
    if (!page.more) return pages;
    CHECK(page.count > 0);
  }
}

static uint32_t taken;

static void count_key(const char *key) {
  (void)key;
  taken++;
}

static uint32_t count_keys(const char *prefix, uint32_t limit) {
  taken = 0;
  list_all(prefix, limit, count_key);
  return taken;
}

static void refuses_wrong_arguments(void) {
  mmc_embedded_key_page page = page_of(8);
  mmc_embedded_pool_stats stats = {.bytes = sizeof stats};
  CHECK_CODE(mmc_embedded_list("", "", &page), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmc_embedded_stats(&stats), MMC_CLIENT_NOT_INIT);
  scene_begin(POOL);
  CHECK_CODE(init_client(), MMC_OK);
  CHECK_CODE(mmc_embedded_list(NULL, "", &page), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_embedded_list("", NULL, &page), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_embedded_list("", "", NULL), MMC_INVALID_PARAM);
  char longest[MMC_MAX_KEY_BYTES + 2];
  memset(longest, 'k', sizeof longest);
  longest[MMC_MAX_KEY_BYTES + 1] = '\0';
  CHECK_CODE(mmc_embedded_list(longest, "", &page), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_embedded_list("", longest, &page), MMC_INVALID_PARAM);
  longest[MMC_MAX_KEY_BYTES] = '\0';
  CHECK_CODE(mmc_embedded_list(longest, longest, &page), MMC_OK);
  for (uint32_t limit = 0; limit <= MMC_EMBEDDED_MAX_LIST + 1; limit += MMC_EMBEDDED_MAX_LIST + 1) {
    page = page_of(limit);
    CHECK_CODE(mmc_embedded_list("", "", &page), MMC_INVALID_PARAM);
  }
  page = page_of(8);
  page.bytes--;
  CHECK_CODE(mmc_embedded_list("", "", &page), MMC_INVALID_PARAM);
  page = page_of(8);
  page.keys = NULL;
  CHECK_CODE(mmc_embedded_list("", "", &page), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_embedded_stats(NULL), MMC_INVALID_PARAM);
  stats.bytes = sizeof stats - 1;
  CHECK_CODE(mmc_embedded_stats(&stats), MMC_INVALID_PARAM);
  mmc_uninit();
  scene_end();
}

static void lists_all_keys_in_order(void) {
  scene_begin(POOL);
  CHECK_CODE(init_client(), MMC_OK);
  CHECK(count_keys("", 5) == 0);
  char key[MMC_MAX_KEY_BYTES + 1];
  for (uint32_t i = 0; i < KEYS; i++) {
    snprintf(key, sizeof key, "%c/%08x", "ab\xff"[i % 3], i * 2654435761u);
    put_small(key);
  }
  memset(key, 0x01, sizeof key);
  key[MMC_MAX_KEY_BYTES] = '\0';
  put_small(key); /* the longest key, of control bytes, is the first */
  const uint32_t limits[] = {1, 7, 1000, KEYS, KEYS + 1, KEYS + 2, MMC_EMBEDDED_MAX_LIST};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    CHECK(count_keys("", limits[i]) == KEYS + 1);
  }
  CHECK(list_all("", KEYS + 1, count_key) == 1);
  CHECK(list_all("", KEYS, count_key) == 2);
  CHECK(count_keys("a", 100) == KEYS / 3 && count_keys("\xff/", 100) == KEYS / 3);
  CHECK(count_keys("\x01", 1) == 1 && count_keys("c", 1) == 0 && count_keys("a/zz", 1) == 0);
  CHECK(count_keys(key, 1) == 1);
  CHECK(stats_now().objects == KEYS + 1);
  mmc_uninit();
  scene_end();
}

/* The child is client 0. While it writes "big", the key is taken; after its death it is not. */
static void lists_what_is_written_and_not_what_is_lost(void) {
  scene_begin(BIG + 8 * MIB);
  pid_t child = spawn(write_big_repeatedly, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  stop_while(child, big_is_half_written);
  CHECK(count_keys("", 3) == 1 && stats_now().objects == 1);
  mmc_embedded_pool_stats both = stats_now();
  CHECK(both.segment_count == 2 && both.segments[0].service == CHILD_SLOT);
  CHECK(both.segments[0].used_bytes == BIG && both.segments[1].used_bytes == 0);
  CHECK(both.media[MMC_MEDIUM_DRAM].total_bytes == 2 * (BIG + 8 * MIB));
  CHECK(both.media[MMC_MEDIUM_DRAM].used_bytes == BIG);
  kill_now(child);
  WITHIN_RECOVERY(count_keys("", 3) == 0 && stats_now().segment_count == 1);
  mmc_uninit();
  scene_end();
}

/* The child is client 0. A list waits for the lock of a stopped client once, and inherits that of a killed one. */
static void gives_up_on_a_stopped_owner_of_a_lock(void) {
  char key[32];
  scene_begin(POOL);
  pid_t child = spawn(ask_for_one_key, NULL);
  wait_for_step(1);
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < 2000; i++) { /* in all shards */
    snprintf(key, sizeof key, "key-%d", i);
    put_small(key);
  }
  stop_while(child, child_holds_a_shard);
  mmc_embedded_key_page page = page_of(10);
  CHECK_CODE(mmc_embedded_list("", "", &page), MCG_LOCK_TIMEOUT);
  CHECK(stats_now().objects == 2000); /* takes no lock */
  kill_now(child);
  CHECK(count_keys("", 1000) == 2000);
  mmc_uninit();
  scene_end();
}

static void counts_bytes_and_evictions(void) {
  char *value = malloc(4 * MIB);
  char key[32];
  fill(value, 4 * MIB, 1);
  scene_begin(POOL);
  setenv("MMC_EMBEDDED_EVICT", "size", 1);
  CHECK_CODE(init_client(), MMC_OK);
  mmc_embedded_pool_stats stats = stats_now();
  CHECK(stats.objects == 0 && stats.evictions == 0 && stats.segment_count == 1);
  CHECK(stats.media[MMC_MEDIUM_DRAM].total_bytes == POOL);
  CHECK(stats.media[MMC_MEDIUM_DRAM].free_bytes == POOL);
  CHECK(stats.media[MMC_MEDIUM_HBM].total_bytes == 0);
  put_small("small");
  CHECK(stats_now().media[MMC_MEDIUM_DRAM].used_bytes == 256);
  for (int i = 0; i < 9; i++) {
    snprintf(key, sizeof key, "four-%d", i);
    CHECK_CODE(put_bytes(key, value, 4 * MIB), MMC_OK);
  }
  stats = stats_now();
  CHECK(stats.evictions > 0 && stats.objects + stats.evictions == 10);
  CHECK(stats.objects == count_keys("", 100));
  CHECK(stats.media[MMC_MEDIUM_DRAM].used_bytes + stats.media[MMC_MEDIUM_DRAM].free_bytes == POOL);
  mmc_uninit();
  scene_end();
  free(value);
}

static _Atomic bool finished;

static void *change_other_keys(void *context) {
  char key[32];
  for (int i = 0; !atomic_load(&finished); i = (i + 1) % 500) {
    snprintf(key, sizeof key, "%s-%d", (const char *)context, i);
    put_bytes(key, "other", 5);
    if (i % 3 != 0) mmcc_remove(key, 0);
  }
  return NULL;
}

static void count_stable(const char *key) {
  taken += strncmp(key, "stable", 6) == 0;
}

/* Keys that do not change are in every list, while other keys are stored and removed. */
static void finds_stable_keys_among_changes(int lists) {
  pthread_t threads[2];
  char key[32];
  scene_begin(POOL);
  CHECK_CODE(init_client(), MMC_OK);
  for (int i = 0; i < 200; i++) {
    snprintf(key, sizeof key, "stable-%d", i);
    put_small(key);
  }
  CHECK(pthread_create(&threads[0], NULL, change_other_keys, "a") == 0);
  CHECK(pthread_create(&threads[1], NULL, change_other_keys, "z") == 0);
  for (int i = 0; i < lists; i++) {
    taken = 0;
    list_all("", 1 + (uint32_t)(i * 37 % 300), count_stable);
    CHECK(taken == 200);
    CHECK(stats_now().objects >= 200);
  }
  atomic_store(&finished, true);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  mmc_uninit();
  scene_end();
}

int run_listing(int count, char **arguments) {
  int lists = count > 1 ? atoi(arguments[1]) : 50;
  refuses_wrong_arguments();
  lists_all_keys_in_order();
  lists_what_is_written_and_not_what_is_lost();
  gives_up_on_a_stopped_owner_of_a_lock();
  counts_bytes_and_evictions();
  finds_stable_keys_among_changes(lists);
  puts("listing: ok");
  return 0;
}
