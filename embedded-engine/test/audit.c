/* See audit.h. */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "segment.h"
#include "shard.h"

struct tally {
  uint32_t linked[SHARDS];
  uint32_t free[SHARDS];
  uint64_t granules[CLIENT_SLOTS];
  uint64_t *words[CLIENT_SLOTS]; /* the bitmap according to the entries */
};

static void mark(struct tally *tally, uint32_t service, uint64_t start, uint64_t granules) {
  CHECK(tally->words[service] != NULL);
  for (uint64_t granule = start; granule < start + granules; granule++) {
    uint64_t bit = 1ull << (granule % 64);
    CHECK(!(tally->words[service][granule / 64] & bit)); /* no two objects share space */
    tally->words[service][granule / 64] |= bit;
  }
  tally->granules[service] += granules;
}

static void count_entry(struct entry *entry, void *context) {
  struct tally *tally = context;
  enum entry_state state = entry_state_of(atomic_load(&entry->state));
  uint32_t shard = entry_shard(entry);
  CHECK(state == ENTRY_FREE || state == ENTRY_COMMITTED);
  if (state == ENTRY_FREE) tally->free[shard]++;
  if (state == ENTRY_COMMITTED) tally->linked[shard]++;
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    uint64_t replica = atomic_load(&entry->replicas[i]);
    CHECK(replica == 0 || state == ENTRY_COMMITTED);
    if (replica == 0) continue;
    mark(tally, replica_service(replica), replica_granule(replica), entry_granules(entry));
  }
}

static uint32_t length_of_chain(uint32_t link) {
  uint32_t length = 0;
  for (; link != 0; link = entry_at(link - 1)->next) length++;
  return length;
}

static void audit_shard(uint32_t index, const struct tally *tally) {
  struct shard *shard = &pool.shards[index];
  uint32_t linked = 0;
  CHECK(atomic_load(&shard->lock.word) == 0);
  for (uint32_t bucket = 0; bucket < SHARD_BUCKETS; bucket++) {
    linked += length_of_chain(shard->buckets[bucket]);
  }
  CHECK(linked == tally->linked[index] && linked == atomic_load(&shard->count));
  CHECK(length_of_chain(shard->free_head) == tally->free[index]);
}

static void audit_segment(uint32_t service, struct tally *tally) {
  struct segment_view view;
  CHECK(segment_view(service, &view));
  struct segment *segment = view.segment;
  uint64_t bytes = segment->groups * GROUP_WORDS * 8;
  uint64_t granules = segment->bytes / GRANULE_BYTES;
  CHECK(atomic_load(&segment->used_granules) == tally->granules[service]);
  for (uint64_t tail = granules; tail < segment->groups * GROUP_GRANULES; tail++) {
    tally->words[service][tail / 64] |= 1ull << (tail % 64);
  }
  CHECK(memcmp(view.bitmap.words, tally->words[service], bytes) == 0);
}

void audit_pool(void) {
  struct tally *tally = calloc(1, sizeof *tally);
  uint64_t live = pool_live_services();
  for (uint32_t service = 0; service < CLIENT_SLOTS; service++) {
    if (!(live & service_bit(service))) continue;
    tally->words[service] = calloc(pool_client(service)->segment.groups * GROUP_WORDS, 8);
  }
  entry_visit(SHARDS, count_entry, tally);
  for (uint32_t shard = 0; shard < SHARDS; shard++) audit_shard(shard, tally);
  for (uint32_t service = 0; service < CLIENT_SLOTS; service++) {
    if (live & service_bit(service)) audit_segment(service, tally);
    free(tally->words[service]);
  }
  free(tally);
}
