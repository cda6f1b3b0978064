/*
 * The batch entry points. As in the distributed engine (docs/engine-facts.md §6), the effect of an
 * invalid key depends on the call: put and get refuse the whole batch, exist and query refuse it if
 * all keys are invalid, remove never refuses it.
 */
#include <string.h>

#include "call.h"
#include "key.h"
#include "mmc_abi.h"
#include "object.h"

static bool size_is_valid(size_t count) {
  return count > 0 && count <= MMC_MAX_BATCH_KEYS;
}

static size_t count_valid(const char **keys, size_t count) {
  struct key ignored;
  size_t valid = 0;
  for (size_t i = 0; i < count; i++) valid += key_read(keys[i], &ignored);
  return valid;
}

static int32_t put_all(struct call *call, const char **keys, uint32_t count,
                       const mmc_buffer *buffers, const mmc_put_options *options,
                       int32_t *results) {
  if (count_valid(keys, count) != count) return MMC_INVALID_PARAM;
  for (uint32_t i = 0; i < count; i++) {
    struct key key;
    results[i] = key_read(keys[i], &key) ? object_put(call, &key, &buffers[i], options)
                                         : MMC_INVALID_PARAM;
  }
  return MMC_OK;
}

int32_t mmcc_batch_put(const char **keys, uint32_t count, const mmc_buffer *buffers,
                       mmc_put_options *options, uint32_t flags, int32_t *results) {
  (void)flags;
  struct call call;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (keys != NULL && buffers != NULL && options != NULL && results != NULL &&
      size_is_valid(count)) {
    code = put_all(&call, keys, count, buffers, options, results);
  }
  return call_end(&call, code);
}

static int32_t get_all(struct call *call, const char **keys, uint32_t count,
                       const mmc_buffer *buffers, int32_t *results) {
  if (count_valid(keys, count) != count) return MMC_INVALID_PARAM;
  for (uint32_t i = 0; i < count; i++) {
    struct key key;
    results[i] =
        key_read(keys[i], &key) ? object_get(call, &key, &buffers[i]) : MMC_INVALID_PARAM;
  }
  return MMC_OK;
}

int32_t mmcc_batch_get(const char **keys, uint32_t count, mmc_buffer *buffers, uint32_t flags,
                       int32_t *results) {
  (void)flags;
  struct call call;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (keys != NULL && buffers != NULL && results != NULL && size_is_valid(count)) {
    code = get_all(&call, keys, count, buffers, results);
  }
  return call_end(&call, code);
}

/* A query has no array of result codes: a failed item has `valid` false. */
static int32_t query_all(struct call *call, const char **keys, size_t count,
                         mmc_data_info *infos) {
  if (count_valid(keys, count) == 0) return MMC_INVALID_PARAM;
  for (size_t i = 0; i < count; i++) {
    struct key key;
    memset(&infos[i], 0, sizeof infos[i]);
    if (!key_read(keys[i], &key)) continue;
    int32_t code = object_query(call, &key, &infos[i]);
    if (code != MMC_OK) return code;
  }
  return MMC_OK;
}

int32_t mmcc_batch_query(const char **keys, size_t count, mmc_data_info *infos, uint32_t flags) {
  (void)flags;
  struct call call;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (keys != NULL && infos != NULL && size_is_valid(count)) {
    code = query_all(&call, keys, count, infos);
  }
  return call_end(&call, code);
}

typedef int32_t (*key_operation)(struct call *call, const struct key *key);

static void answer_each(struct call *call, const char **keys, uint32_t count, int32_t *results,
                        key_operation operation) {
  for (uint32_t i = 0; i < count; i++) {
    struct key key;
    results[i] = key_read(keys[i], &key) ? operation(call, &key) : MMC_INVALID_PARAM;
  }
}

int32_t mmcc_batch_exist(const char **keys, uint32_t count, int32_t *results, uint32_t flags) {
  (void)flags;
  struct call call;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (keys != NULL && results != NULL && size_is_valid(count) && count_valid(keys, count) > 0) {
    answer_each(&call, keys, count, results, object_exist);
    code = MMC_OK;
  }
  return call_end(&call, code);
}

int32_t mmcc_batch_remove(const char **keys, uint32_t count, int32_t *results, uint32_t flags) {
  (void)flags;
  struct call call;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (keys != NULL && results != NULL && size_is_valid(count)) {
    answer_each(&call, keys, count, results, object_remove);
    code = MMC_OK;
  }
  return call_end(&call, code);
}
