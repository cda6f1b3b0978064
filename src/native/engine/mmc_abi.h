/*
 * The C ABI of MemCache Hybrid's client, as both engines export it (v1.0.1 to v1.1;
 * v1.2 appends addresses to mmc_data_info, which then has 128 bytes).
 *
 * This is the only place that states it for C: the embedded engine implements these
 * declarations, the test libraries wrap them, and src/native/abi.ts repeats the offsets
 * for JavaScript. Layouts are those of LP64 (x86-64 and aarch64), checked below.
 */
#ifndef MMC_ABI_H
#define MMC_ABI_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

enum mmc_code {
  MMC_OK = 0,
  MMC_ERROR = -1,               /* unspecific: missing key on get, no room, unmet placement */
  MMC_UNUSABLE_POOL = -2,       /* transport: the pool accepts clients but no data */
  MMC_TRANSPORT_BUSY = -3,      /* transport: bounce area full */
  MMC_UNSUPPORTED_MEDIUM = -6,  /* transport: a buffer that is not DRAM on a host without NPU */
  MMC_TRANSPORT_FAILED = -2000, /* transport */
  MMC_INVALID_PARAM = -3000,
  MMC_MALLOC_FAILED = -3001,
  MMC_NEW_OBJECT_FAILED = -3002,
  MMC_NOT_STARTED = -3003,
  MMC_TIMEOUT = -3004,
  MMC_REPEAT_CALL = -3005,
  MMC_DUPLICATED_OBJECT = -3006,
  MMC_OBJECT_NOT_READABLE = -3007, /* no replica is complete: still being written */
  MMC_NOT_INITIALIZED = -3008,
  MMC_RPC_NOT_ENOUGH_MEMORY = -3009,
  MMC_RPC_INVALID_MESSAGE = -3010,
  MMC_RPC_FAILED = -3011,
  MMC_OVER_CAPACITY = -3013,
  MMC_LINK_NOT_FOUND = -3014,
  MMC_NO_RPC_HANDLER = -3015,
  MMC_OUT_OF_MEMORY = -3016,
  MMC_META_SERVICE_NOT_FOUND = -3017,
  MMC_LOCAL_SERVICE_NOT_FOUND = -3018,
  MMC_CLIENT_NOT_INITIALIZED = -3019,
  MMC_SSD_NOT_AVAILABLE = -3020, /* from 1.2 on */
  MMC_UNMATCHED_STATE = -3101,
  MMC_UNMATCHED_KEY = -3102,
  MMC_UNMATCHED_RETURN = -3103,
  MMC_LEASE_NOT_EXPIRED = -3104,
  MMC_META_BACKUP_FAILED = -3105,
  MMC_LEASE_EXPIRED = -3106,        /* from 1.2 on: a read outlasted its lease */
  MMC_RANGE_ALREADY_WRITTEN = -3107, /* from 1.2 on */
  /*
   * The embedded engine's own: a lock that another process keeps was not released in time, and the
   * call, or this item of its batch, did nothing. MMC_TIMEOUT leaves that unknown.
   */
  MMC_LOCK_TIMEOUT = -900002
};

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
 * Optional: exported, and answers 1, only where no call ever waits for a network, so that
 * small operations may run on the caller's own thread. The distributed engine lacks it.
 */
MMC_API int mmc_embedded_nonblocking(void);

/*
 * Optional, and beside the distributed engine's ABI. Bounds how long each later call on the
 * calling thread waits for locks, in microseconds; 0 restores the default of one second. A call
 * on one key that meets the bound answers MMC_LOCK_TIMEOUT and has changed nothing.
 */
MMC_API int32_t mmc_embedded_lock_wait_us(uint32_t microseconds);

/*
 * Optional, as above. 1 from init to uninit; 0 otherwise, and once the client has left a pool
 * whose header was destroyed: all calls then answer MMC_CLIENT_NOT_INITIALIZED.
 */
MMC_API int mmc_embedded_is_member(void);

#ifdef __cplusplus
}
#endif

#endif
