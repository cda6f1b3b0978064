/*
 * The return codes of calls in one process: the rows of docs/engine-facts.md §4 that need no second
 * client.
 */
#include <string.h>
#include <unistd.h>

#include "batches.h"
#include "check.h"
#include "programs.h"

#define POOL_BYTES (8ull << 20)

static char scratch[1 << 20];

static void before_init(void) {
  mmc_buffer buffer = buffer_of(scratch, 8);
  mmc_put_options options = options_for(1);
  mmc_data_info info;
  int32_t result = 77;
  uint32_t id;
  const char *key = "k";
  CHECK_CODE(mmcc_put(key, &buffer, options, 0), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_get(key, &buffer, 0), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_query(key, &info, 0), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_exist(key, 0), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_remove(key, 0), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_batch_put(&key, 1, &buffer, &options, 0, &result), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_batch_get(&key, 1, &buffer, 0, &result), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_batch_query(&key, 1, &info, 0), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_batch_exist(&key, 1, &result, 0), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_batch_remove(&key, 1, &result, 0), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_register_buffer(4096, 4096), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_unregister_buffer(4096, 4096), MMC_CLIENT_NOT_INIT);
  CHECK_CODE(mmcc_local_service_id(&id), MMC_CLIENT_NOT_INIT);
  CHECK(result == 77);
  mmc_uninit();
}

/* A failure must not be explained by the warning of an earlier one. */
static void last_warning(void) {
  char text[128];
  mmc_init_config config = {MMC_MAX_DEVICE_ID + 1, true};
  setenv("MMC_EMBEDDED_BYTES", "0", 1);
  CHECK_CODE(init_client(), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_embedded_last_warning(text, sizeof text), MMC_OK);
  CHECK(strncmp(text, "MMC_EMBEDDED_BYTES is not", 25) == 0);
  CHECK_CODE(mmc_embedded_last_warning(text, 4), MMC_OK);
  CHECK(strcmp(text, "MMC") == 0);
  CHECK_CODE(mmc_init(&config), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_embedded_last_warning(text, sizeof text), MMC_OK);
  CHECK(*text == '\0');
  CHECK_CODE(mmc_embedded_last_warning(text, 0), MMC_INVALID_PARAM);
}

static void init_limits(void) {
  mmc_init_config config = {MMC_MAX_DEVICE_ID + 1, true};
  CHECK_CODE(mmc_init(NULL), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_init(&config), MMC_INVALID_PARAM);
  const char *nonsense[] = {"0", "4095", "-1", "1e9", "1GiB", "99999999999999999999", " 4096"};
  for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
    setenv("MMC_EMBEDDED_BYTES", nonsense[i], 1);
    CHECK_CODE(init_client(), MMC_INVALID_PARAM);
  }
  const char *names[] = {"a/b", "/", "..", ".hidden", "with space", "\xc3\xa4"};
  setenv("MMC_EMBEDDED_BYTES", "4096", 1);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    setenv("MMC_EMBEDDED_POOL", names[i], 1);
    CHECK_CODE(init_client(), MMC_INVALID_PARAM);
  }
  unsetenv("MMC_EMBEDDED_POOL");
  config.deviceId = MMC_MAX_DEVICE_ID;
  CHECK_CODE(mmc_init(&config), MMC_OK);
  CHECK_CODE(put_bytes("small", scratch, 4096), MMC_OK);
  CHECK_CODE(put_bytes("more", scratch, 1), MMC_OK); /* above 90 %: the first one is evicted */
  CHECK_CODE(mmcc_exist("small", 0), MMC_UNMATCHED_KEY);
  mmc_uninit();
}

static void single_key(void) {
  char value[] = "value", other[] = "other", out[8];
  CHECK_CODE(get_bytes("none", out, 5), MMC_ERROR);
  CHECK(!query("none").valid);
  CHECK_CODE(mmcc_exist("none", 0), MMC_UNMATCHED_KEY);
  CHECK_CODE(mmcc_remove("none", 0), MMC_UNMATCHED_KEY);
  CHECK_CODE(put_bytes("k", value, 5), MMC_OK);
  CHECK_CODE(put_bytes("k", other, 5), MMC_DUPLICATED_OBJECT);
  CHECK_CODE(mmcc_exist("k", 0), MMC_OK);
  mmc_data_info info = query("k");
  CHECK(info.valid && info.size == 5 && info.numBlobs == 1 && info.ranks[0] == 0);
  CHECK(info.types[0] == MMC_MEDIUM_DRAM && info.prot == 0);
  memset(out, 'x', sizeof out);
  CHECK_CODE(get_bytes("k", out, 4), MMC_ERROR);
  CHECK_CODE(get_bytes("k", out, 6), MMC_ERROR);
  CHECK(memcmp(out, "xxxxxxxx", 8) == 0);
  CHECK_CODE(get_bytes("k", out, 5), MMC_OK);
  CHECK(memcmp(out, "valuexxx", 8) == 0);
  CHECK_CODE(mmcc_remove("k", 0), MMC_OK);
  CHECK_CODE(get_bytes("k", out, 5), MMC_ERROR);
  mmc_buffer shifted = buffer_of(scratch, 5);
  memcpy(scratch + 3, "shift", 5);
  shifted.offset = 3;
  CHECK_CODE(mmcc_put("k", &shifted, options_for(0), 0), MMC_OK);
  CHECK_CODE(get_bytes("k", out, 5), MMC_OK);
  CHECK(memcmp(out, "shift", 5) == 0);
  CHECK_CODE(mmcc_remove("k", 0), MMC_OK);
}

static void key_limits(void) {
  char key[258];
  memset(key, 'k', sizeof key);
  key[257] = '\0';
  CHECK_CODE(put_bytes(key, scratch, 1), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_exist(key, 0), MMC_INVALID_PARAM);
  key[256] = '\0';
  CHECK_CODE(put_bytes(key, scratch, 1), MMC_OK);
  CHECK_CODE(mmcc_remove(key, 0), MMC_OK);
  CHECK_CODE(put_bytes("", scratch, 1), MMC_INVALID_PARAM);
  CHECK_CODE(put_bytes(NULL, scratch, 1), MMC_INVALID_PARAM);
  for (int byte = 1; byte < 256; byte++) {
    char one[] = {(char)byte, '\0'};
    CHECK_CODE(put_bytes(one, &byte, 1), MMC_OK);
  }
  for (int byte = 1; byte < 256; byte++) {
    char one[] = {(char)byte, '\0'};
    char out = 0;
    CHECK_CODE(get_bytes(one, &out, 1), MMC_OK);
    CHECK(out == (char)byte);
    CHECK_CODE(mmcc_remove(one, 0), MMC_OK);
  }
}

static void placement(void) {
  mmc_buffer buffer = buffer_of(scratch, 10);
  CHECK_CODE(mmcc_put("p", &buffer, options_for(2), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("p", &buffer, options_for(9), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("p", &buffer, options_preferring(1, 1, -1), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("p", &buffer, options_preferring(1, 64, -1), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("p", &buffer, options_preferring(1, -2, -1), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("p", &buffer, options_preferring(2, 0, -1), 0), MMC_ERROR);
  CHECK_CODE(mmcc_put("p", &buffer, options_preferring(2, 0, 0), 0), MMC_ERROR);
  CHECK_CODE(mmcc_exist("p", 0), MMC_UNMATCHED_KEY);
  buffer.type = MMC_MEDIUM_HBM;
  CHECK_CODE(mmcc_put("p", &buffer, options_for(1), 0), MMC_UNSUPPORTED_MEDIUM);
  buffer.type = MMC_MEDIUM_DRAM;
  CHECK_CODE(mmcc_put("p", &buffer, options_preferring(1, 0, -1), 0), MMC_OK);
  buffer.type = MMC_MEDIUM_HBM;
  CHECK_CODE(mmcc_get("p", &buffer, 0), MMC_UNSUPPORTED_MEDIUM);
  CHECK_CODE(mmcc_remove("p", 0), MMC_OK);
}

static void room(void) {
  char *all = malloc(POOL_BYTES + 1);
  char *out = malloc(POOL_BYTES);
  fill(all, POOL_BYTES, 1);
  CHECK_CODE(put_bytes("all", all, POOL_BYTES + 1), MMC_ERROR);
  CHECK_CODE(put_bytes("all", all, UINT64_MAX), MMC_ERROR);
  CHECK_CODE(put_bytes("all", all, POOL_BYTES), MMC_OK);
  CHECK_CODE(get_bytes("all", out, POOL_BYTES), MMC_OK);
  CHECK(is_filled(out, POOL_BYTES, 1));
  CHECK_CODE(mmcc_remove("all", 0), MMC_OK);
  CHECK_CODE(put_bytes("most", all, POOL_BYTES / 100 * 85), MMC_OK);
  CHECK_CODE(put_bytes("most", all, POOL_BYTES / 5), MMC_ERROR); /* space is allocated first */
  CHECK_CODE(put_bytes("most", all, 10), MMC_DUPLICATED_OBJECT);
  CHECK_CODE(put_bytes("more", all, POOL_BYTES / 5), MMC_ERROR); /* not above 90 %: none evicted */
  CHECK_CODE(mmcc_exist("most", 0), MMC_OK);
  CHECK_CODE(mmcc_remove("most", 0), MMC_OK);
  free(all);
  free(out);
}

static void empty_values(void) {
  CHECK_CODE(put_bytes("z", scratch, 0), MMC_OK);
  CHECK_CODE(put_bytes("a", "aaaa", 4), MMC_OK);
  CHECK(query("z").valid && query("z").size == 0);
  CHECK_CODE(get_bytes("z", scratch, 0), MMC_OK);
  CHECK_CODE(mmcc_remove("z", 0), MMC_OK);
  CHECK_CODE(mmcc_remove("a", 0), MMC_OK);
  CHECK_CODE(put_bytes("null", NULL, 4), MMC_INVALID_PARAM);
  char *all = calloc(1, POOL_BYTES);
  CHECK_CODE(put_bytes("all", all, POOL_BYTES), MMC_OK);
  CHECK_CODE(mmcc_remove("all", 0), MMC_OK);
  free(all);
}

static void registration(void) {
  uint64_t base = 1ull << 40;
  CHECK_CODE(mmcc_register_buffer(base, 8192), MMC_OK);
  CHECK_CODE(mmcc_register_buffer(base, 8192), MMC_OK);
  CHECK_CODE(mmcc_register_buffer(base, 4096), MMC_ERROR);
  CHECK_CODE(mmcc_register_buffer(base + 4096, 8192), MMC_ERROR);
  CHECK_CODE(mmcc_register_buffer(base + 100, 100), MMC_ERROR);
  CHECK_CODE(mmcc_register_buffer(base + 8192, 4096), MMC_OK);
  CHECK_CODE(mmcc_register_buffer(base, 0), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_register_buffer(0, 4096), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_register_buffer(UINT64_MAX - 10, 4096), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_unregister_buffer(base, 8192), MMC_OK);
  CHECK_CODE(mmcc_unregister_buffer(base, 8192), MMC_OK);
  CHECK_CODE(mmcc_register_buffer(base, 4096), MMC_OK);
}

static void eviction(void) {
  const int objects = 80, bytes = 1 << 16; /* 80 of 128 objects fit below 90 % */
  char key[24];
  for (int i = 0; i < objects; i++) {
    snprintf(key, sizeof key, "lru-%d", i);
    CHECK_CODE(put_bytes(key, scratch, (uint64_t)bytes), MMC_OK);
  }
  CHECK_CODE(get_bytes("lru-0", scratch, (uint64_t)bytes), MMC_OK);
  CHECK_CODE(mmcc_exist("lru-1", 0), MMC_OK);
  query("lru-2");
  for (int i = objects; i < 116; i++) { /* 116 of 128 are 90.6 % */
    snprintf(key, sizeof key, "lru-%d", i);
    CHECK_CODE(put_bytes(key, scratch, (uint64_t)bytes), MMC_OK);
  }
  CHECK(query("lru-2").valid);
  CHECK_CODE(put_bytes("lru-116", scratch, (uint64_t)bytes), MMC_OK);
  UNTIL(!query("lru-2").valid);
  UNTIL(!query("lru-14").valid);
  CHECK(query("lru-0").valid && query("lru-1").valid && query("lru-116").valid);
  int left = 0;
  for (int i = 0; i <= 116; i++) {
    snprintf(key, sizeof key, "lru-%d", i);
    left += query(key).valid;
  }
  CHECK(left >= 101 && left <= 104); /* (90.6 − 80) / 90 of 116 or 117 were evicted */
  for (int i = 0; i <= 116; i++) {
    snprintf(key, sizeof key, "lru-%d", i);
    mmcc_remove(key, 0);
  }
}

static void client_only(void) {
  mmc_init_config config = {0, false};
  mmc_buffer buffer = buffer_of(scratch, 4);
  CHECK_CODE(mmc_init(&config), MMC_OK);
  CHECK_CODE(mmcc_put("k", &buffer, options_for(1), 0), MMC_ERROR);
  CHECK_CODE(mmcc_get("k", &buffer, 0), MMC_ERROR);
  CHECK_CODE(mmcc_register_buffer(4096, 4096), MMC_ERROR);
  CHECK_CODE(mmcc_exist("k", 0), MMC_UNMATCHED_KEY);
  mmc_uninit();
}

int run_conformance(int count, char **arguments) {
  (void)count;
  (void)arguments;
  char name[64];
  uint32_t id = 77;
  before_init();
  last_warning();
  init_limits();
  unique_pool_name(name, sizeof name);
  use_pool(name, POOL_BYTES);
  client_only();
  for (int round = 0; round < 3; round++) {
    CHECK_CODE(init_client(), MMC_OK);
    CHECK_CODE(init_client(), MMC_OK);
    CHECK(pool_exists(name));
    CHECK_CODE(mmcc_local_service_id(&id), MMC_OK);
    CHECK(id == 0 && mmc_embedded_nonblocking() == 1);
    CHECK_CODE(mmcc_exist("left over", 0), MMC_UNMATCHED_KEY);
    single_key();
    key_limits();
    placement();
    room();
    empty_values();
    check_batches();
    registration();
    eviction();
    CHECK_CODE(put_bytes("left over", scratch, 10), MMC_OK);
    mmc_uninit();
    CHECK(!pool_exists(name));
    before_init();
  }
  CHECK_CODE(mmc_set_log_level(-1), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_set_log_level(4), MMC_INVALID_PARAM);
  CHECK_CODE(mmc_set_log_level(MMC_LOG_ERROR), MMC_OK);
  puts("conformance: ok");
  return 0;
}
