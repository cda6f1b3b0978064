/* See batches.h. */
#include "batches.h"

#include <string.h>

#include "check.h"

static void small_batches(void) {
  char long_key[258];
  memset(long_key, 'l', 257);
  long_key[257] = '\0';
  const char *keys[] = {"a", "b", "a"};
  const char *missing[] = {"none", "a", long_key};
  const char *invalid[] = {long_key, ""};
  char values[3][4] = {"aaa", "bbb", "ccc"};
  char out[3][4];
  mmc_buffer from[3], to[3];
  mmc_data_info infos[3];
  mmc_put_options options = options_for(1);
  int32_t results[3] = {77, 77, 77};
  for (int i = 0; i < 3; i++) from[i] = buffer_of(values[i], 3), to[i] = buffer_of(out[i], 3);
  CHECK_CODE(mmcc_batch_put(keys, 3, from, &options, 0, results), MMC_OK);
  CHECK(results[0] == 0 && results[1] == 0 && results[2] == MMC_DUPLICATED_OBJECT);
  CHECK_CODE(mmcc_batch_get(keys, 3, to, 0, results), MMC_OK);
  CHECK(results[0] == 0 && results[1] == 0 && results[2] == 0);
  CHECK(memcmp(out[0], "aaa", 3) == 0 && memcmp(out[1], "bbb", 3) == 0);
  CHECK(memcmp(out[2], "aaa", 3) == 0);
  results[0] = results[1] = results[2] = 77;
  CHECK_CODE(mmcc_batch_get(missing, 3, to, 0, results), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_put(missing, 3, from, &options, 0, results), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_exist(invalid, 2, results, 0), MMC_INVALID_PARAM);
  CHECK(results[0] == 77 && results[1] == 77 && results[2] == 77);
  CHECK_CODE(mmcc_exist("none", 0), MMC_UNMATCHED_KEY);
  CHECK_CODE(mmcc_batch_query(invalid, 2, infos, 0), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_exist(missing, 3, results, 0), MMC_OK);
  CHECK(results[0] == MMC_UNMATCHED_KEY && results[1] == 0 && results[2] == MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_query(missing, 3, infos, 0), MMC_OK);
  CHECK(!infos[0].valid && infos[1].valid && infos[1].size == 3 && !infos[2].valid);
  to[1].len = 4;
  missing[2] = "b";
  CHECK_CODE(mmcc_batch_get(missing, 3, to, 0, results), MMC_OK);
  CHECK(results[0] == MMC_ERROR && results[1] == MMC_ERROR && results[2] == 0);
  keys[1] = long_key;
  CHECK_CODE(mmcc_batch_remove(keys, 3, results, 0), MMC_OK);
  CHECK(results[0] == 0 && results[1] == MMC_INVALID_PARAM && results[2] == MMC_UNMATCHED_KEY);
  CHECK_CODE(mmcc_batch_remove(invalid, 2, results, 0), MMC_OK);
  CHECK_CODE(mmcc_batch_exist(keys, 0, results, 0), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_query(keys, 0, infos, 0), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_remove("b", 0), MMC_OK);
}

static void large_batches(void) {
  enum { COUNT = MMC_MAX_BATCH_KEYS + 1 };
  const char **keys = malloc(COUNT * sizeof *keys);
  char(*names)[24] = malloc(COUNT * sizeof *names);
  mmc_buffer *buffers = malloc(COUNT * sizeof *buffers);
  mmc_data_info *infos = malloc(COUNT * sizeof *infos);
  int32_t *results = malloc(COUNT * sizeof *results);
  mmc_put_options options = options_for(1);
  for (int i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i], "batch-%d", i);
    keys[i] = names[i];
    buffers[i] = buffer_of(names[i], 9);
    results[i] = 77;
  }
  CHECK_CODE(mmcc_batch_put(keys, COUNT, buffers, &options, 0, results), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_get(keys, COUNT, buffers, 0, results), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_query(keys, COUNT, infos, 0), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_exist(keys, COUNT, results, 0), MMC_INVALID_PARAM);
  CHECK_CODE(mmcc_batch_remove(keys, COUNT, results, 0), MMC_INVALID_PARAM);
  for (int i = 0; i < COUNT; i++) CHECK(results[i] == 77);
  CHECK_CODE(mmcc_batch_put(keys, COUNT - 1, buffers, &options, 0, results), MMC_OK);
  for (int i = 0; i < COUNT - 1; i++) CHECK_CODE(results[i], MMC_OK);
  CHECK_CODE(mmcc_batch_query(keys, COUNT - 1, infos, 0), MMC_OK);
  for (int i = 0; i < COUNT - 1; i++) CHECK(infos[i].valid && infos[i].size == 9);
  CHECK_CODE(mmcc_batch_remove(keys, COUNT - 1, results, 0), MMC_OK);
  for (int i = 0; i < COUNT - 1; i++) CHECK_CODE(results[i], MMC_OK);
  free(keys);
  free(names);
  free(buffers);
  free(infos);
  free(results);
}

void check_batches(void) {
  small_batches();
  large_batches();
}
