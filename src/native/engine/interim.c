/* Objects in this process's own heap, under one mutex: right for one client, not yet shared. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "object.h"

struct object {
  struct object *next;
  uint64_t size;
  char *data;
  uint32_t key_length;
  char key[];
};

#define BUCKETS 65536u
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct object *buckets[BUCKETS];
static uint64_t capacity;
static uint64_t used;
static bool contributes;
static const struct hash_seed seed = {{1, 2}};

int32_t client_join(bool contributes_memory) {
  const char *bytes = getenv("MMC_EMBEDDED_BYTES");
  capacity = bytes != NULL ? strtoull(bytes, NULL, 10) : 1ull << 30;
  contributes = contributes_memory;
  return MMC_OK;
}

static void drop(struct object **link) {
  struct object *object = *link;
  *link = object->next;
  used -= object->size;
  free(object->data);
  free(object);
}

void client_leave(void) {
  for (uint32_t i = 0; i < BUCKETS; i++) {
    while (buckets[i] != NULL) drop(&buckets[i]);
  }
}

bool client_contributes(void) { return contributes; }
uint32_t client_service_id(void) { return 0; }

static struct object **find(const struct key *key) {
  struct object **link = &buckets[key_hash(&seed, key) % BUCKETS];
  while (*link != NULL && ((*link)->key_length != key->length ||
                           memcmp((*link)->key, key->bytes, key->length) != 0)) {
    link = &(*link)->next;
  }
  return link;
}

static bool placeable(const mmc_put_options *options) {
  if (options->replicaNum > 1) return false;
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    int32_t id = options->preferredLocalServiceIDs[i];
    if (id != MMC_NO_PREFERENCE && (id != 0 || i > 0)) return false;
  }
  return true;
}

static int32_t put_locked(const struct key *key, const mmc_buffer *source) {
  if (source->len > capacity - used) return MMC_ERROR;
  struct object **link = find(key);
  if (*link != NULL) return MMC_DUPLICATED_OBJECT;
  struct object *object = malloc(sizeof *object + key->length);
  char *data = malloc(source->len + 1);
  if (object == NULL || data == NULL) {
    free(object);
    free(data);
    return MMC_ERROR;
  }
  memcpy(data, (const void *)(uintptr_t)(source->addr + source->offset), source->len);
  memcpy(object->key, key->bytes, key->length);
  object->key_length = key->length;
  object->size = source->len;
  object->data = data;
  object->next = NULL;
  *link = object;
  used += object->size;
  return MMC_OK;
}

int32_t object_put(struct call *call, const struct key *key, const mmc_buffer *source,
                   const mmc_put_options *options) {
  (void)call;
  if (source->addr == 0 && source->len > 0) return MMC_INVALID_PARAM;
  if (source->type != MMC_MEDIUM_DRAM) return MMC_UNSUPPORTED_MEDIUM;
  if (!contributes || !placeable(options)) return MMC_ERROR;
  pthread_mutex_lock(&mutex);
  int32_t code = put_locked(key, source);
  pthread_mutex_unlock(&mutex);
  return code;
}

int32_t object_get(struct call *call, const struct key *key, const mmc_buffer *destination) {
  (void)call;
  if (destination->addr == 0 && destination->len > 0) return MMC_INVALID_PARAM;
  if (destination->type != MMC_MEDIUM_DRAM) return MMC_UNSUPPORTED_MEDIUM;
  if (!contributes) return MMC_ERROR;
  pthread_mutex_lock(&mutex);
  struct object *object = *find(key);
  bool matches = object != NULL && object->size == destination->len;
  if (matches) {
    memcpy((void *)(uintptr_t)(destination->addr + destination->offset), object->data,
           object->size);
  }
  pthread_mutex_unlock(&mutex);
  return matches ? MMC_OK : MMC_ERROR;
}

int32_t object_query(struct call *call, const struct key *key, mmc_data_info *info) {
  (void)call;
  memset(info, 0, sizeof *info);
  pthread_mutex_lock(&mutex);
  struct object *object = *find(key);
  if (object != NULL) {
    info->size = object->size;
    info->numBlobs = 1;
    info->valid = true;
    info->types[0] = MMC_MEDIUM_DRAM;
  }
  pthread_mutex_unlock(&mutex);
  return MMC_OK;
}

int32_t object_exist(struct call *call, const struct key *key) {
  (void)call;
  pthread_mutex_lock(&mutex);
  bool found = *find(key) != NULL;
  pthread_mutex_unlock(&mutex);
  return found ? MMC_OK : MMC_UNMATCHED_KEY;
}

int32_t object_remove(struct call *call, const struct key *key) {
  (void)call;
  pthread_mutex_lock(&mutex);
  struct object **link = find(key);
  bool found = *link != NULL;
  if (found) drop(link);
  pthread_mutex_unlock(&mutex);
  return found ? MMC_OK : MMC_UNMATCHED_KEY;
}
