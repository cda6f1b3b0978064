/*
 * A lock is a futex word that holds the slot of its owner. Robust pthread mutexes report the death
 * of a thread, but a lock may be taken over only after the whole process has ended (liveness.c). The
 * wait must also have a limit for a stopped owner. A sleeping thread that dies may consume a
 * wake-up, so a thread sleeps only a few milliseconds at a time.
 */
#include "lock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "liveness.h"
#include "pool.h"

/* The numbers of the kernel ABI; not every system with a compiler has the kernel's headers. */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

#define SPINS 200
#define SLEEP_NS 5000000ll
#define SLEEPERS 1u

#define HOLD_NS 100000000ll    /* how long all threads wait for one owner */
#define VAIN_HOLD_NS 1000000ll /* the same, after a thread has waited for this owner in vain */

/*
 * State of this process for each lock: NO_WAIT, ONE_WAITS (a thread waits to the end of its budget),
 * or the owner for which a thread has waited in vain. Without it, all call slots of a host would
 * wait for one lock of a stopped process, and calls that need other locks would wait too. Adjacent
 * locks have different elements. Two locks with the same element may forget each other's owner,
 * which only makes waits longer.
 */
#define WAIT_SLOTS 4096u
#define NO_WAIT 0u
#define ONE_WAITS 1u
static _Atomic uint32_t waits[WAIT_SLOTS];

static _Thread_local int64_t wait_limit_ns = INT64_MAX;

/* The wait of one thread for one lock. */
struct wait {
  int64_t budget_ns;
  int64_t start_ns;
  uint32_t owner; /* has held the lock at least since `seen_ns` */
  int64_t seen_ns;
  bool to_the_end;
};

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

static inline _Atomic uint32_t *wait_slot(const struct lock *lock) {
  return &waits[(uintptr_t)lock / sizeof lock->word % WAIT_SLOTS];
}

/* The lock was taken, so the owner of an earlier vain wait has released it. */
static inline void forget_vain_wait(const struct lock *lock) {
  _Atomic uint32_t *slot = wait_slot(lock);
  uint32_t seen = atomic_load_explicit(slot, memory_order_relaxed);
  if (seen > ONE_WAITS) atomic_compare_exchange_strong(slot, &seen, NO_WAIT);
}

static bool claim_wait_to_the_end(const struct lock *lock, uint32_t owner) {
  _Atomic uint32_t *slot = wait_slot(lock);
  uint32_t seen = atomic_load(slot);
  return seen != ONE_WAITS && seen != owner &&
         atomic_compare_exchange_strong(slot, &seen, ONE_WAITS);
}

/* Unlimited for a lock of this process: the process runs, so it will release the lock. */
static int64_t longest_hold_ns(const struct lock *lock, const struct wait *wait) {
  if (wait->to_the_end || wait->owner == own_token()) return INT64_MAX;
  return atomic_load(wait_slot(lock)) == wait->owner ? VAIN_HOLD_NS : HOLD_NS;
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

/* How long the thread may sleep before it checks the lock again; 0 if it must give up. */
static int64_t patience_ns(struct wait *wait, const struct lock *lock, uint32_t owner) {
  int64_t now = now_ns();
  if (wait->owner != owner) {
    wait->owner = owner;
    wait->seen_ns = now;
  }
  int64_t left_ns = wait->budget_ns - (now - wait->start_ns);
  if (left_ns <= 0) return 0;
  int64_t hold_ns = longest_hold_ns(lock, wait) - (now - wait->seen_ns);
  if (hold_ns > 0) return hold_ns < left_ns ? hold_ns : left_ns;
  wait->to_the_end = claim_wait_to_the_end(lock, owner);
  return wait->to_the_end ? left_ns : 0;
}

/* Takes the lock with SLEEPERS set, because other threads may sleep too. */
static enum lock_result wait_on(struct wait *wait, struct lock *lock) {
  for (;;) {
    if (try_take(lock, own_token() | SLEEPERS)) return LOCK_TAKEN;
    uint32_t seen = atomic_load(&lock->word);
    if (seen == 0) continue;
    if (liveness_is_dead((seen >> 1) - 1)) {
      if (atomic_compare_exchange_strong(&lock->word, &seen, own_token() | SLEEPERS)) {
        return LOCK_INHERITED;
      }
      continue;
    }
    int64_t sleep_ns = patience_ns(wait, lock, seen & ~SLEEPERS);
    if (sleep_ns == 0 || !pool_is_intact()) return LOCK_TIMED_OUT;
    sleep_on(lock, seen, sleep_ns);
  }
}

static enum lock_result wait_for(struct lock *lock, int64_t *budget_ns) {
  struct wait wait = {.budget_ns = *budget_ns, .start_ns = now_ns()};
  enum lock_result result = wait_on(&wait, lock);
  bool in_vain = result == LOCK_TIMED_OUT;
  if (wait.to_the_end) atomic_store(wait_slot(lock), in_vain ? wait.owner : NO_WAIT);
  int64_t left_ns = *budget_ns - (now_ns() - wait.start_ns);
  *budget_ns = in_vain || left_ns < 0 ? 0 : left_ns;
  return result;
}

enum lock_result lock_acquire(struct lock *lock, int64_t *budget_ns) {
  enum lock_result result = LOCK_TAKEN;
  if (!try_take(lock, own_token()) && !spin(lock)) result = wait_for(lock, budget_ns);
  if (result != LOCK_TIMED_OUT) forget_vain_wait(lock);
  return result;
}

void lock_limit_waits(int64_t limit_ns) {
  wait_limit_ns = limit_ns;
}

int64_t lock_budget(int64_t wanted_ns) {
  return wanted_ns < wait_limit_ns ? wanted_ns : wait_limit_ns;
}

void lock_forget_waits(void) {
  for (uint32_t slot = 0; slot < WAIT_SLOTS; slot++) atomic_store(&waits[slot], NO_WAIT);
}

void lock_release(struct lock *lock) {
  uint32_t before = atomic_exchange_explicit(&lock->word, 0, memory_order_release);
  if (before & SLEEPERS) syscall(SYS_futex, (void *)&lock->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

bool lock_is_owned_by(const struct lock *lock, uint64_t owners) {
  uint32_t word = atomic_load(&lock->word);
  uint32_t owner = (word >> 1) - 1;
  return word != 0 && pool_check(owner < CLIENT_SLOTS) && (owners & service_bit(owner));
}

bool lock_settle(struct lock *lock, uint64_t owners, int64_t *budget_ns) {
  if (!lock_is_owned_by(lock, owners)) return true;
  if (lock_acquire(lock, budget_ns) == LOCK_TIMED_OUT) return false;
  lock_release(lock);
  return true;
}
