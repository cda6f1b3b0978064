/*
 * The C ABI of the client of MemCache Hybrid, which both engines export (v1.0.1 to v1.1;
 * v1.2 appends addresses to mmc_data_info, which then has 128 bytes).
 *
 * These are the only C declarations of the ABI. The embedded engine implements them, the test
 * libraries wrap them, and src/native/abi/abi.ts repeats the offsets for JavaScript. The layouts
 * are those of LP64 (x86-64 and aarch64), checked below.
 */
#ifndef MMC_ABI_H
#define MMC_ABI_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmc_codes.h"

#ifdef __cplusplus
#define MMC_ASSERT_LAYOUT(condition) static_assert(condition, #condition)
extern "C" {
#else
#define MMC_ASSERT_LAYOUT(condition) _Static_assert(condition, #condition)
#endif

#define MMC_API __attribute__((visibility("default")))

#define MMC_MAX_KEY_BYTES 256u
#define MMC_MAX_BATCH_KEYS 16384u
#define MMC_MAX_REPLICAS 8u
#define MMC_MAX_DEVICE_ID 383u
#define MMC_NO_PREFERENCE (-1)

enum mmc_medium { MMC_MEDIUM_HBM = 0, MMC_MEDIUM_DRAM = 1, MMC_MEDIUM_SSD = 2 };

enum mmc_log_level {
  MMC_LOG_DEBUG = 0,
  MMC_LOG_INFO = 1,
  MMC_LOG_WARN = 2,
  MMC_LOG_ERROR = 3
};

typedef struct mmc_init_config {
  uint32_t deviceId;
  bool initBm; /* contribute memory; without it put, get and register fail */
} mmc_init_config;

MMC_ASSERT_LAYOUT(sizeof(mmc_init_config) == 8);
MMC_ASSERT_LAYOUT(offsetof(mmc_init_config, deviceId) == 0);
MMC_ASSERT_LAYOUT(offsetof(mmc_init_config, initBm) == 4);

typedef struct mmc_buffer {
  uint64_t addr;
  uint32_t type; /* enum mmc_medium */
  uint64_t offset;
  uint64_t len;
} mmc_buffer;

MMC_ASSERT_LAYOUT(sizeof(mmc_buffer) == 32);
MMC_ASSERT_LAYOUT(offsetof(mmc_buffer, addr) == 0);
MMC_ASSERT_LAYOUT(offsetof(mmc_buffer, type) == 8);
MMC_ASSERT_LAYOUT(offsetof(mmc_buffer, offset) == 16);
MMC_ASSERT_LAYOUT(offsetof(mmc_buffer, len) == 24);

typedef struct mmc_put_options {
  uint16_t mediaType;
  int32_t policy;
  uint16_t replicaNum;                                /* 0 counts as 1 */
  int32_t preferredLocalServiceIDs[MMC_MAX_REPLICAS]; /* unused: MMC_NO_PREFERENCE */
} mmc_put_options;

MMC_ASSERT_LAYOUT(sizeof(mmc_put_options) == 44);
MMC_ASSERT_LAYOUT(offsetof(mmc_put_options, mediaType) == 0);
MMC_ASSERT_LAYOUT(offsetof(mmc_put_options, policy) == 4);
MMC_ASSERT_LAYOUT(offsetof(mmc_put_options, replicaNum) == 8);
MMC_ASSERT_LAYOUT(offsetof(mmc_put_options, preferredLocalServiceIDs) == 12);

typedef struct mmc_data_info {
  uint64_t size;
  uint16_t prot;
  uint8_t numBlobs;
  bool valid;
  uint32_t ranks[MMC_MAX_REPLICAS]; /* service ids, numBlobs of them */
  uint16_t types[MMC_MAX_REPLICAS]; /* enum mmc_medium */
} mmc_data_info;

MMC_ASSERT_LAYOUT(sizeof(mmc_data_info) == 64);
MMC_ASSERT_LAYOUT(offsetof(mmc_data_info, size) == 0);
MMC_ASSERT_LAYOUT(offsetof(mmc_data_info, prot) == 8);
MMC_ASSERT_LAYOUT(offsetof(mmc_data_info, numBlobs) == 10);
MMC_ASSERT_LAYOUT(offsetof(mmc_data_info, valid) == 11);
MMC_ASSERT_LAYOUT(offsetof(mmc_data_info, ranks) == 12);
MMC_ASSERT_LAYOUT(offsetof(mmc_data_info, types) == 44);

MMC_API int32_t mmc_init(const mmc_init_config *config);
MMC_API void mmc_uninit(void);
MMC_API int32_t mmc_set_log_level(int level);

MMC_API int32_t mmcc_register_buffer(uint64_t addr, uint64_t size);
MMC_API int32_t mmcc_unregister_buffer(uint64_t addr, uint64_t size);
MMC_API int32_t mmcc_local_service_id(uint32_t *id);

MMC_API int32_t mmcc_put(const char *key, mmc_buffer *buffer, mmc_put_options options,
                         uint32_t flags);
MMC_API int32_t mmcc_get(const char *key, mmc_buffer *buffer, uint32_t flags);
MMC_API int32_t mmcc_query(const char *key, mmc_data_info *info, uint32_t flags);
MMC_API int32_t mmcc_exist(const char *key, uint32_t flags);
MMC_API int32_t mmcc_remove(const char *key, uint32_t flags);

MMC_API int32_t mmcc_batch_put(const char **keys, uint32_t count, const mmc_buffer *buffers,
                               mmc_put_options *options, uint32_t flags, int32_t *results);
MMC_API int32_t mmcc_batch_get(const char **keys, uint32_t count, mmc_buffer *buffers,
                               uint32_t flags, int32_t *results);
MMC_API int32_t mmcc_batch_query(const char **keys, size_t count, mmc_data_info *infos,
                                 uint32_t flags);
MMC_API int32_t mmcc_batch_exist(const char **keys, uint32_t count, int32_t *results,
                                 uint32_t flags);
MMC_API int32_t mmcc_batch_remove(const char **keys, uint32_t count, int32_t *results,
                                  uint32_t flags);

/*
 * Optional. Returns 1 if no call ever waits for a network, so that small operations may run on the
 * caller's thread. The distributed engine does not export it.
 */
MMC_API int mmc_embedded_nonblocking(void);

/*
 * Optional; the distributed engine does not export it. Limits how long each later call on the
 * calling thread waits for locks, in microseconds; 0 restores the default of one second. A call
 * for one key that reaches the limit returns MCG_LOCK_TIMEOUT and has changed nothing.
 */
MMC_API int32_t mmc_embedded_lock_wait_us(uint32_t microseconds);

/*
 * Optional, as above. 1 from init to uninit. 0 otherwise, and after the client has left a pool
 * whose header was destroyed: all calls then return MMC_CLIENT_NOT_INIT.
 */
MMC_API int mmc_embedded_is_member(void);

/*
 * Optional, as above. Copies the text of the last warning since the last mmc_init began into `text`,
 * without the prefix of the log line, at most `bytes` bytes including the final NUL. The text is
 * empty without a warning. A code alone does not tell why mmc_init failed.
 */
MMC_API int32_t mmc_embedded_last_warning(char *text, uint32_t bytes);

#ifdef __cplusplus
}
#endif

#endif
