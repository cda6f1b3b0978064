/* Joining starts the background threads of the pool; leaving stops them first. */
#include "client.h"

#include "call.h"
#include "lock.h"
#include "log.h"
#include "membership.h"
#include "pool.h"
#include "touch.h"
#include "watch.h"

static bool touching;
static bool abandoned;

static void stop_touching(void) {
  if (touching) touch_stop();
  touching = false;
}

/* Runs on the watching thread, so that an idle client leaves a destroyed pool too. */
static void abandon(const char *how) {
  calls_close();
  stop_touching();
  log_debug("left the pool %s: its header was %s", pool.name, how);
  membership_abandon();
  abandoned = true;
}

int32_t client_join(bool contributes_memory) {
  int32_t code = membership_take(contributes_memory);
  if (code != MMC_OK) return code;
  abandoned = false;
  /* Open calls before the watching thread starts, because that thread may close them at once. */
  calls_open();
  touching = contributes_memory && touch_start();
  if (touching != contributes_memory || !watch_start(abandon)) {
    calls_close();
    stop_touching();
    membership_give_up();
    return MMC_ERROR;
  }
  return MMC_OK;
}

/* Stop the watching thread first; otherwise it could abandon the pool at the same time. */
void client_leave(void) {
  watch_stop();
  stop_touching();
  if (!abandoned) membership_give_up();
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
