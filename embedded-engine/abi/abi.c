/*
 * The entry points for one key, and for init and uninit. They check arguments in the order of the
 * distributed engine: client, key, buffer, object.
 */
#include <pthread.h>

#include "call.h"
#include "client.h"
#include "key.h"
#include "lock.h"
#include "log.h"
#include "mmc_abi.h"
#include "object.h"
#include "registration.h"

static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t forks_watched = PTHREAD_ONCE_INIT;
static bool joined;

/*
 * A forked child inherits the parent's descriptor and so its lock on the file. Close it; otherwise
 * the parent seems alive after its death.
 */
static void disown_in_child(void) {
  calls_forget();
  if (joined) client_disown();
  joined = false;
}

static void watch_forks(void) {
  pthread_atfork(NULL, NULL, disown_in_child);
}

static int32_t join_locked(const mmc_init_config *config) {
  if (joined) return MMC_OK;
  if (config->deviceId > MMC_MAX_DEVICE_ID) return MMC_INVALID_PARAM;
  pthread_once(&forks_watched, watch_forks);
  int32_t code = client_join(config->initBm);
  if (code != MMC_OK) return code;
  joined = true;
  return MMC_OK;
}

int32_t mmc_init(const mmc_init_config *config) {
  if (config == NULL) return MMC_INVALID_PARAM;
  pthread_mutex_lock(&life);
  log_forget_warning();
  int32_t code = join_locked(config);
  pthread_mutex_unlock(&life);
  return code;
}

void mmc_uninit(void) {
  pthread_mutex_lock(&life);
  if (joined) {
    calls_close();
    client_leave();
    registration_clear();
    joined = false;
  }
  pthread_mutex_unlock(&life);
}

int32_t mmc_set_log_level(int level) {
  return log_set_level(level) ? MMC_OK : MMC_INVALID_PARAM;
}

int mmc_embedded_nonblocking(void) {
  return 1;
}

int32_t mmc_embedded_lock_wait_us(uint32_t microseconds) {
  lock_limit_waits(microseconds == 0 ? INT64_MAX : (int64_t)microseconds * 1000);
  return MMC_OK;
}

int mmc_embedded_is_member(void) {
  return calls_are_open() ? 1 : 0;
}

int32_t mmc_embedded_last_warning(char *text, uint32_t bytes) {
  if (text == NULL || bytes == 0) return MMC_INVALID_PARAM;
  log_copy_last_warning(text, bytes);
  return MMC_OK;
}

int32_t mmcc_register_buffer(uint64_t addr, uint64_t size) {
  struct call call;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = client_contributes() ? registration_add(addr, size) : MMC_ERROR;
  return call_end(&call, code);
}

int32_t mmcc_unregister_buffer(uint64_t addr, uint64_t size) {
  struct call call;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  registration_remove(addr, size);
  return call_end(&call, MMC_OK);
}

int32_t mmcc_local_service_id(uint32_t *id) {
  struct call call;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_OK;
  if (id == NULL) {
    code = MMC_INVALID_PARAM;
  } else if (!client_contributes()) {
    code = MMC_NOT_CONNET_LOCAL;
  } else {
    *id = client_service_id();
  }
  return call_end(&call, code);
}

int32_t mmcc_put(const char *key, mmc_buffer *buffer, mmc_put_options options, uint32_t flags) {
  (void)flags;
  struct call call;
  struct key checked;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (key_read(key, &checked) && buffer != NULL) {
    code = object_put(&call, &checked, buffer, &options);
  }
  return call_end(&call, code);
}

int32_t mmcc_get(const char *key, mmc_buffer *buffer, uint32_t flags) {
  (void)flags;
  struct call call;
  struct key checked;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (key_read(key, &checked) && buffer != NULL) code = object_get(&call, &checked, buffer);
  return call_end(&call, code);
}

int32_t mmcc_query(const char *key, mmc_data_info *info, uint32_t flags) {
  (void)flags;
  struct call call;
  struct key checked;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = MMC_INVALID_PARAM;
  if (key_read(key, &checked) && info != NULL) code = object_query(&call, &checked, info);
  return call_end(&call, code);
}

int32_t mmcc_exist(const char *key, uint32_t flags) {
  (void)flags;
  struct call call;
  struct key checked;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = key_read(key, &checked) ? object_exist(&call, &checked) : MMC_INVALID_PARAM;
  return call_end(&call, code);
}

int32_t mmcc_remove(const char *key, uint32_t flags) {
  (void)flags;
  struct call call;
  struct key checked;
  if (!call_begin(&call)) return MMC_CLIENT_NOT_INIT;
  int32_t code = key_read(key, &checked) ? object_remove(&call, &checked) : MMC_INVALID_PARAM;
  return call_end(&call, code);
}
