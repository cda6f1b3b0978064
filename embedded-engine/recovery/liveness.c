/*
 * Each client holds an open-file-description lock on its own byte of the pool's file. The kernel
 * releases it when the process has ended, after the last instruction that could touch the pool. A
 * process id does not show that, and may be reused. Classic record locks would be lost whenever the
 * host closes any descriptor of the file. The bytes are far beyond the end of the file and exist
 * only in the lock table.
 */
#include "liveness.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "pool.h"

#define MEMBERSHIP_BYTE ((off_t)1 << 61)
#define FIRST_CLIENT_BYTE (MEMBERSHIP_BYTE + 1)
#define RETRY_NS 1000000l

static struct flock describe(short type, off_t start, off_t bytes) {
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = bytes;
  return lock;
}

static bool set_lock(int descriptor, short type, off_t byte) {
  struct flock lock = describe(type, byte, 1);
  int result;
  do {
    result = fcntl(descriptor, F_OFD_SETLK, &lock);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

/*
 * Whether another process holds a lock. After an error it returns true, because treating a live
 * client as dead is worse than the opposite.
 */
static bool is_locked(int descriptor, off_t start, off_t bytes) {
  struct flock lock = describe(F_WRLCK, start, bytes);
  int result;
  do {
    result = fcntl(descriptor, F_OFD_GETLK, &lock);
  } while (result != 0 && errno == EINTR);
  return result != 0 || lock.l_type != F_UNLCK;
}

bool liveness_lock_membership(int descriptor, int64_t budget_ns) {
  for (int64_t waited_ns = 0;; waited_ns += RETRY_NS) {
    if (set_lock(descriptor, F_WRLCK, MEMBERSHIP_BYTE)) return true;
    if (waited_ns >= budget_ns) return false;
    nanosleep(&(struct timespec){0, RETRY_NS}, NULL);
  }
}

void liveness_unlock_membership(int descriptor) {
  set_lock(descriptor, F_UNLCK, MEMBERSHIP_BYTE);
}

bool liveness_hold(int descriptor, uint32_t slot) {
  return set_lock(descriptor, F_WRLCK, FIRST_CLIENT_BYTE + slot);
}

bool liveness_any_held(int descriptor) {
  return is_locked(descriptor, FIRST_CLIENT_BYTE, CLIENT_SLOTS);
}

/* The state contains the incarnation, so a slot with a new client is not marked dead. */
bool liveness_is_dead(uint32_t slot) {
  if (slot == pool.self || !pool_check(slot < CLIENT_SLOTS)) return false;
  struct client *client = pool_client(slot);
  uint64_t word = atomic_load(&client->state);
  enum client_state state = client_state_of(word);
  if (state == CLIENT_DEAD || state == CLIENT_FREE) return true;
  if (is_locked(pool.descriptor, FIRST_CLIENT_BYTE + (off_t)slot, 1)) return false;
  uint64_t dead = (word & ~3ull) | CLIENT_DEAD;
  return atomic_compare_exchange_strong(&client->state, &word, dead) ||
         client_state_of(word) == CLIENT_DEAD;
}
