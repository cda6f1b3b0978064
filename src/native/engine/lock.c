/*
 * A futex word that names its owner's slot. Robust pthread mutexes would tell that the owning
 * thread died, but a lock here may only be taken over when the whole process can run no more
 * (liveness.c), and the wait must have a bound also for a stopped owner. A sleeper that dies
 * may swallow a wake-up, so nobody sleeps longer than a few milliseconds at a time.
 */
#include "lock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "liveness.h"
#include "pool.h"

/* The kernel's numbers; its headers are not everywhere where a compiler is. */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

#define SPINS 200
#define SLEEP_NS 5000000ll
#define SLEEPERS 1u

static inline uint32_t own_token(void) {
  return (pool.self + 1) << 1;
}

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static bool try_take(struct lock *lock, uint32_t token) {
  uint32_t expected = 0;
  return atomic_compare_exchange_strong_explicit(&lock->word, &expected, token,
                                                 memory_order_acquire, memory_order_relaxed);
}

static bool spin(struct lock *lock) {
  for (int i = 0; i < SPINS; i++) {
    pause_briefly();
    if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 &&
        try_take(lock, own_token())) {
      return true;
    }
  }
  return false;
}

static void sleep_on(struct lock *lock, uint32_t seen, int64_t longest_ns) {
  if (!(seen & SLEEPERS)) {
    uint32_t marked = seen | SLEEPERS;
    if (!atomic_compare_exchange_strong(&lock->word, &seen, marked)) return;
    seen = marked;
  }
  struct timespec timeout = {0, longest_ns < SLEEP_NS ? longest_ns : SLEEP_NS};
  syscall(SYS_futex, (void *)&lock->word, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

/* Whoever slept takes the lock with the sleepers' bit set, since others may sleep too. */
static enum lock_result wait_for(struct lock *lock, int64_t *budget_ns) {
  int64_t start_ns = now_ns();
  int64_t left_ns = *budget_ns;
  enum lock_result result = LOCK_TIMED_OUT;
  for (;;) {
    if (try_take(lock, own_token() | SLEEPERS)) {
      result = LOCK_TAKEN;
      break;
    }
    uint32_t seen = atomic_load(&lock->word);
    if (seen == 0) continue;
    if (liveness_is_dead((seen >> 1) - 1)) {
      if (atomic_compare_exchange_strong(&lock->word, &seen, own_token() | SLEEPERS)) {
        result = LOCK_INHERITED;
        break;
      }
      continue;
    }
    if (left_ns <= 0) break;
    sleep_on(lock, seen, left_ns);
    left_ns = *budget_ns - (now_ns() - start_ns);
  }
  *budget_ns = left_ns > 0 ? left_ns : 0;
  return result;
}

enum lock_result lock_acquire(struct lock *lock, int64_t *budget_ns) {
  if (try_take(lock, own_token()) || spin(lock)) return LOCK_TAKEN;
  return wait_for(lock, budget_ns);
}

void lock_release(struct lock *lock) {
  uint32_t before = atomic_exchange_explicit(&lock->word, 0, memory_order_release);
  if (before & SLEEPERS) syscall(SYS_futex, (void *)&lock->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

bool lock_is_owned_by(const struct lock *lock, uint64_t owners) {
  uint32_t word = atomic_load(&lock->word);
  return word != 0 && (owners & service_bit((word >> 1) - 1));
}

bool lock_settle(struct lock *lock, uint64_t owners, int64_t *budget_ns) {
  if (!lock_is_owned_by(lock, owners)) return true;
  if (lock_acquire(lock, budget_ns) == LOCK_TIMED_OUT) return false;
  lock_release(lock);
  return true;
}
