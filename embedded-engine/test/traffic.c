/* See traffic.h. A value begins with the number of its key, its length and the seed of the rest. */
#include "traffic.h"

#include <string.h>

#include "check.h"

#define BATCH 12u

struct label {
  uint64_t number;
  uint64_t length;
  uint64_t seed;
};

static uint64_t next_random(struct traffic *traffic) {
  traffic->random ^= traffic->random << 13;
  traffic->random ^= traffic->random >> 7;
  traffic->random ^= traffic->random << 17;
  return traffic->random;
}

void traffic_begin(struct traffic *traffic, uint64_t seed, uint32_t keys, uint32_t replicas) {
  *traffic = (struct traffic){.random = seed * 0x9e3779b97f4a7c15u + 1, .keys = keys};
  traffic->replicas = replicas;
  traffic->bytes = malloc(TRAFFIC_MAX_BYTES);
}

void traffic_end(struct traffic *traffic) {
  free(traffic->bytes);
}

static void name_key(char *key, size_t room, uint64_t number) {
  snprintf(key, room, "contested/%llu", (unsigned long long)number);
}

static uint64_t choose_length(struct traffic *traffic) {
  uint64_t most = next_random(traffic) % 8 == 0 ? TRAFFIC_MAX_BYTES : 2000;
  return sizeof(struct label) + next_random(traffic) % (most - sizeof(struct label));
}

static void write_value(struct traffic *traffic, char *bytes, uint64_t number, uint64_t length) {
  struct label label = {number, length, next_random(traffic)};
  memcpy(bytes, &label, sizeof label);
  fill(bytes + sizeof label, length - sizeof label, label.seed);
}

static void check_value(const char *bytes, uint64_t number, uint64_t length) {
  struct label label;
  memcpy(&label, bytes, sizeof label);
  CHECK(label.number == number && label.length == length);
  CHECK(is_filled(bytes + sizeof label, length - sizeof label, label.seed));
}

/* A killed process may take longer to end than a thread waits for its locks. */
static bool gave_up(struct traffic *traffic, int32_t code) {
  if (code != MCG_LOCK_TIMEOUT) return false;
  traffic->given_up++;
  return true;
}

static void put_one(struct traffic *traffic, const char *key, uint64_t number) {
  uint64_t length = choose_length(traffic);
  uint16_t replicas = (uint16_t)(1 + next_random(traffic) % traffic->replicas);
  write_value(traffic, traffic->bytes, number, length);
  mmc_buffer buffer = buffer_of(traffic->bytes, length);
  int32_t code = mmcc_put(key, &buffer, options_for(replicas), 0);
  CHECK(code == MMC_OK || code == MMC_DUPLICATED_OBJECT || code == MMC_ERROR ||
        gave_up(traffic, code));
}

static void get_one(struct traffic *traffic, const char *key, uint64_t number) {
  mmc_data_info info;
  int32_t code = mmcc_query(key, &info, 0);
  if (gave_up(traffic, code)) return;
  CHECK_CODE(code, MMC_OK);
  if (!info.valid) return;
  CHECK(info.size <= TRAFFIC_MAX_BYTES && info.numBlobs <= MMC_MAX_REPLICAS);
  code = get_bytes(key, traffic->bytes, info.size);
  CHECK(code == MMC_OK || code == MMC_ERROR || gave_up(traffic, code));
  if (code != MMC_OK) return;
  check_value(traffic->bytes, number, info.size);
  traffic->reads++;
}

static void get_batch(struct traffic *traffic, uint64_t number) {
  const char *keys[BATCH];
  char names[BATCH][40];
  mmc_data_info infos[BATCH];
  mmc_buffer buffers[BATCH];
  int32_t results[BATCH];
  for (uint32_t i = 0; i < BATCH; i++) {
    name_key(names[i], sizeof names[i], (number + i) % traffic->keys);
    keys[i] = names[i];
  }
  int32_t code = mmcc_batch_query(keys, BATCH, infos, 0);
  if (gave_up(traffic, code)) return;
  CHECK_CODE(code, MMC_OK);
  for (uint32_t i = 0; i < BATCH; i++) {
    uint64_t length = infos[i].valid && infos[i].size < 3000 ? infos[i].size : 100;
    buffers[i] = buffer_of(traffic->bytes + i * 3000, length);
  }
  CHECK_CODE(mmcc_batch_get(keys, BATCH, buffers, 0, results), MMC_OK);
  for (uint32_t i = 0; i < BATCH; i++) {
    CHECK(results[i] == MMC_OK || results[i] == MMC_ERROR || gave_up(traffic, results[i]));
    if (results[i] != MMC_OK) continue;
    check_value(traffic->bytes + i * 3000, (number + i) % traffic->keys, buffers[i].len);
    traffic->reads++;
  }
}

static void step(struct traffic *traffic) {
  char key[40];
  uint64_t number = next_random(traffic) % traffic->keys;
  name_key(key, sizeof key, number);
  int32_t code;
  switch (next_random(traffic) % 10) {
    case 0:
    case 1:
    case 2:
      put_one(traffic, key, number);
      break;
    case 3:
    case 4:
      code = mmcc_remove(key, 0);
      CHECK(code == MMC_OK || code == MMC_UNMATCHED_KEY || gave_up(traffic, code));
      break;
    case 5:
      code = mmcc_exist(key, 0);
      CHECK(code == MMC_OK || code == MMC_UNMATCHED_KEY || code == MMC_OBJECT_NOT_EXISTS ||
            gave_up(traffic, code));
      break;
    case 6:
      get_batch(traffic, number);
      break;
    default:
      get_one(traffic, key, number);
  }
}

void traffic_step(struct traffic *traffic) {
  int64_t start_ns = now_ns();
  step(traffic);
  int64_t took_ns = now_ns() - start_ns;
  if (took_ns > traffic->slowest_ns) traffic->slowest_ns = took_ns;
}
