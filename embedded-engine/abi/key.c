/*
 * HTTP clients choose the keys. So the hash is SipHash-1-3 with a random seed for each pool;
 * otherwise a client could choose keys that all fall into one bucket.
 */
#include "key.h"

#include <string.h>

#include "mmc_abi.h"

bool key_read(const char *raw, struct key *key) {
  if (raw == NULL) return false;
  size_t length = strnlen(raw, MMC_MAX_KEY_BYTES + 1);
  if (length == 0 || length > MMC_MAX_KEY_BYTES) return false;
  key->bytes = raw;
  key->length = (uint32_t)length;
  return true;
}

static inline uint64_t rotate(uint64_t value, unsigned bits) {
  return value << bits | value >> (64 - bits);
}

static inline void sip_round(uint64_t v[4]) {
  v[0] += v[1];
  v[2] += v[3];
  v[1] = rotate(v[1], 13) ^ v[0];
  v[3] = rotate(v[3], 16) ^ v[2];
  v[0] = rotate(v[0], 32);
  v[2] += v[1];
  v[0] += v[3];
  v[1] = rotate(v[1], 17) ^ v[2];
  v[3] = rotate(v[3], 21) ^ v[0];
  v[2] = rotate(v[2], 32);
}

static inline void absorb(uint64_t v[4], uint64_t word) {
  v[3] ^= word;
  sip_round(v);
  v[0] ^= word;
}

uint64_t key_hash(const struct hash_seed *seed, const struct key *key) {
  uint64_t v[4] = {
      seed->words[0] ^ 0x736f6d6570736575u, seed->words[1] ^ 0x646f72616e646f6du,
      seed->words[0] ^ 0x6c7967656e657261u, seed->words[1] ^ 0x7465646279746573u};
  uint32_t position = 0;
  for (; position + 8 <= key->length; position += 8) {
    uint64_t word;
    memcpy(&word, key->bytes + position, sizeof word);
    absorb(v, word);
  }
  uint64_t last = (uint64_t)key->length << 56;
  for (uint32_t i = 0; position + i < key->length; i++) {
    last |= (uint64_t)(unsigned char)key->bytes[position + i] << (8 * i);
  }
  absorb(v, last);
  v[2] ^= 0xff;
  for (int round = 0; round < 3; round++) sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
