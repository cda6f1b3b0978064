/* A checked key: 1 to 256 bytes, any byte but NUL. */
#ifndef MCG_KEY_H
#define MCG_KEY_H

#include <stdbool.h>
#include <stdint.h>

struct key {
  const char *bytes;
  uint32_t length;
};

struct hash_seed {
  uint64_t words[2];
};

bool key_read(const char *raw, struct key *key);
uint64_t key_hash(const struct hash_seed *seed, const struct key *key);

#endif
