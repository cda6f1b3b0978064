/* Joining brings up the threads that look after the pool; leaving ends them first. */
#include "client.h"

#include "lock.h"
#include "membership.h"
#include "pool.h"
#include "touch.h"
#include "watch.h"

int32_t client_join(bool contributes_memory) {
  int32_t code = membership_take(contributes_memory);
  if (code != MMC_OK) return code;
  if (!watch_start()) {
    membership_give_up();
    return MMC_ERROR;
  }
  if (contributes_memory && !touch_start()) {
    watch_stop();
    membership_give_up();
    return MMC_ERROR;
  }
  return MMC_OK;
}

void client_leave(void) {
  if (pool.contributes) touch_stop();
  watch_stop();
  membership_give_up();
}

void client_disown(void) {
  membership_disown();
  lock_forget_waits();
}

bool client_contributes(void) {
  return pool.contributes;
}

uint32_t client_service_id(void) {
  return pool.self;
}
