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

/* The bytes of one medium in all memory of the pool; all 0 if no client contributes such memory. */
typedef struct mmc_embedded_medium {
  uint64_t total_bytes;
  uint64_t used_bytes; /* sizes of objects are rounded up to the unit of allocation */
  uint64_t free_bytes; /* in pieces of any size */
} mmc_embedded_medium;

/* The memory that one live client contributes. */
typedef struct mmc_embedded_segment {
  uint32_t service;
  uint32_t medium; /* enum mmc_medium */
  uint64_t total_bytes;
  uint64_t used_bytes;
} mmc_embedded_segment;

#define MMC_EMBEDDED_MAX_SEGMENTS 64u

/* The pool in numbers. Later versions append members and increase `bytes`. */
typedef struct mmc_embedded_pool_stats {
  uint32_t bytes; /* in: size of the caller's struct. Out: the bytes of it that were written */
  uint32_t segment_count;
  uint64_t objects;   /* keys that are taken, those of objects that are being written included */
  uint64_t evictions; /* objects evicted since the pool was created */
  mmc_embedded_medium media[3]; /* by enum mmc_medium */
  mmc_embedded_segment segments[MMC_EMBEDDED_MAX_SEGMENTS]; /* segment_count of them, by service */
} mmc_embedded_pool_stats;

MMC_ASSERT_LAYOUT(sizeof(mmc_embedded_pool_stats) == 1632);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_pool_stats, segment_count) == 4);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_pool_stats, objects) == 8);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_pool_stats, evictions) == 16);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_pool_stats, media) == 24);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_pool_stats, segments) == 96);

/*
 * Optional, as above. Reads counters and takes no lock, so the numbers of one call may belong to
 * different moments. MMC_INVALID_PARAM if `bytes` is less than the struct had in its first version.
 */
MMC_API int32_t mmc_embedded_stats(mmc_embedded_pool_stats *stats);

#define MMC_EMBEDDED_MAX_LIST 16384u

/* One page of keys, in the caller's memory. */
typedef struct mmc_embedded_key_page {
  char *keys;     /* the keys one after another, each with a final NUL, sorted by their bytes */
  uint64_t bytes; /* size of the memory: at least limit * (MMC_MAX_KEY_BYTES + 1) */
  uint32_t limit; /* 1 to MMC_EMBEDDED_MAX_LIST */
  uint32_t count; /* out */
  uint32_t more;  /* out: 1 if there may be keys after the last one of this page */
} mmc_embedded_key_page;

MMC_ASSERT_LAYOUT(sizeof(mmc_embedded_key_page) == 32);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_key_page, bytes) == 8);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_key_page, limit) == 16);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_key_page, count) == 20);
MMC_ASSERT_LAYOUT(offsetof(mmc_embedded_key_page, more) == 24);

/*
 * Optional, as above. The lowest `limit` keys that begin with `prefix` and come after `after`, which
 * is the last key of the page before; each at most MMC_MAX_KEY_BYTES bytes, and empty for all keys and
 * for the first page. A key that is taken during the whole call is in its page. A key that is removed
 * and taken again during the call may be missing. Needs memory for one page, and locks 32 entries at a
 * time, however many objects there are. MCG_LOCK_TIMEOUT if a lock could not be taken.
 */
MMC_API int32_t mmc_embedded_list(const char *prefix, const char *after,
                                  mmc_embedded_key_page *page);

#ifdef __cplusplus
}
#endif

#endif
