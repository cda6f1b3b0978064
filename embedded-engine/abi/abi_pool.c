/*
 * The entry points about the whole pool: its numbers and its keys. The distributed engine has none of
 * them, so the gateway looks them up by name.
 */
#include <string.h>

#include "call.h"
#include "key.h"
#include "list.h"
#include "mmc_abi.h"
#include "pool.h"

static void add_segment(mmc_embedded_pool_stats *stats, uint32_t service) {
  struct segment *segment = &pool_client(service)->segment;
  uint64_t total = segment->bytes;
  uint64_t used =
      atomic_load_explicit(&segment->used_granules, memory_order_relaxed) * GRANULE_BYTES;
  if (total == 0) return;
  if (used > total) used = total; /* the last granule may be incomplete */
  mmc_embedded_medium *medium = &stats->media[MMC_MEDIUM_DRAM];
  medium->total_bytes += total;
  medium->used_bytes += used;
  medium->free_bytes += total - used;
  stats->segments[stats->segment_count++] =
      (mmc_embedded_segment){service, MMC_MEDIUM_DRAM, total, used};
}

int32_t mmc_embedded_stats(mmc_embedded_pool_stats *stats) {
  struct call call;
  mmc_embedded_pool_stats found = {.bytes = sizeof found};
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  if (stats == NULL || stats->bytes < sizeof found) return call_end(&call, MMC_INVALID_PARAM);
  found.objects = pool_count_objects();
  found.evictions = atomic_load_explicit(&pool.header->evictions, memory_order_relaxed);
  for (uint64_t live = pool_live_services(); live != 0; live &= live - 1) {
    add_segment(&found, (uint32_t)__builtin_ctzll(live));
  }
  int32_t code = call_end(&call, MMC_OK);
  if (code == MMC_OK) *stats = found;
  return code;
}

/* Empty is allowed, unlike for a key of an object. */
static bool read_part(const char *raw, struct key *part) {
  if (raw == NULL) return false;
  *part = (struct key){raw, 0};
  return *raw == '\0' || key_read(raw, part);
}

int32_t mmc_embedded_list(const char *prefix, const char *after, mmc_embedded_key_page *page) {
  struct call call;
  struct list_range range;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (read_part(prefix, &range.prefix) && read_part(after, &range.after) && page != NULL &&
      page->keys != NULL && page->limit > 0 && page->limit <= MMC_EMBEDDED_MAX_LIST &&
      page->bytes >= (uint64_t)page->limit * (MMC_MAX_KEY_BYTES + 1)) {
    code = list_keys(&call, &range, page);
  }
  return call_end(&call, code);
}
