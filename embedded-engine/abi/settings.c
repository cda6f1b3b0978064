/* An invalid variable makes init fail, because a default would hide the mistake. */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "layout.h"
#include "log.h"

#define DEFAULT_BYTES (1ull << 30)
#define MIN_BYTES 4096ull
#define MAX_NAME_LENGTH 200u

static const char name_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static bool make_private_name(char *name, size_t room) {
  uint64_t random;
  if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return false;
  snprintf(name, room, "/mcg-%u-%d-%016llx", (unsigned)geteuid(), (int)getpid(),
           (unsigned long long)random);
  return true;
}

bool settings_read_pool_name(char *name, size_t room) {
  const char *value = getenv("MMC_EMBEDDED_POOL");
  if (value == NULL || *value == '\0') return make_private_name(name, room);
  if (*value == '/') value++;
  size_t length = strlen(value);
  bool valid = length > 0 && length <= MAX_NAME_LENGTH && length + 2 <= room &&
               strspn(value, name_characters) == length && *value != '.';
  if (!valid) {
    log_warning("MMC_EMBEDDED_POOL is not a name of 1 to %u letters, digits, '.', '_' and '-'",
                MAX_NAME_LENGTH);
    return false;
  }
  snprintf(name, room, "/%s", value);
  return true;
}

bool settings_read_eviction(bool *for_size) {
  const char *value = getenv("MMC_EMBEDDED_EVICT");
  *for_size = value == NULL || *value == '\0' || strcmp(value, "size") == 0;
  if (*for_size || strcmp(value, "threshold") == 0) return true;
  log_warning("MMC_EMBEDDED_EVICT is neither size nor threshold");
  return false;
}

bool settings_read_bytes(uint64_t *bytes) {
  const char *value = getenv("MMC_EMBEDDED_BYTES");
  *bytes = DEFAULT_BYTES;
  if (value == NULL || *value == '\0') return true;
  size_t length = strlen(value);
  bool digits = length <= 15 && strspn(value, "0123456789") == length;
  if (digits) *bytes = strtoull(value, NULL, 10);
  if (digits && *bytes >= MIN_BYTES && *bytes <= MAX_SEGMENT_BYTES) return true;
  log_warning("MMC_EMBEDDED_BYTES is not a number of bytes from %llu to %llu", MIN_BYTES,
              MAX_SEGMENT_BYTES);
  return false;
}
