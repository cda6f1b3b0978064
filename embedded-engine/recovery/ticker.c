/*
 * These threads block all signals, because the host's handlers must run on the host's threads.
 */
#include "ticker.h"

#include <signal.h>
#include <time.h>

#define STACK_BYTES (256u * 1024u)

static struct timespec deadline_in(unsigned milliseconds) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  time.tv_nsec += (long)(milliseconds % 1000) * 1000000;
  time.tv_sec += milliseconds / 1000 + time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

static void *run(void *argument) {
  struct ticker *ticker = argument;
  pthread_setname_np(pthread_self(), ticker->name);
  while (!atomic_load(&ticker->stopping)) {
    struct timespec deadline = deadline_in(ticker->once());
    pthread_mutex_lock(&ticker->mutex);
    int waited = 0;
    while (!ticker->woken && !atomic_load(&ticker->stopping) && waited == 0) {
      waited = pthread_cond_timedwait(&ticker->changed, &ticker->mutex, &deadline);
    }
    ticker->woken = false;
    pthread_mutex_unlock(&ticker->mutex);
  }
  return NULL;
}

static void prepare(struct ticker *ticker) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&ticker->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  ticker->woken = false;
  atomic_store(&ticker->stopping, false);
}

static bool create_thread(struct ticker *ticker) {
  pthread_attr_t attributes;
  sigset_t all, before;
  sigfillset(&all);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool created = pthread_create(&ticker->thread, &attributes, run, ticker) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return created;
}

bool ticker_start(struct ticker *ticker, const char *name, unsigned (*once)(void)) {
  ticker->name = name;
  ticker->once = once;
  prepare(ticker);
  if (create_thread(ticker)) return true;
  pthread_cond_destroy(&ticker->changed);
  return false;
}

void ticker_wake(struct ticker *ticker) {
  pthread_mutex_lock(&ticker->mutex);
  ticker->woken = true;
  pthread_cond_signal(&ticker->changed);
  pthread_mutex_unlock(&ticker->mutex);
}

void ticker_stop(struct ticker *ticker) {
  atomic_store(&ticker->stopping, true);
  ticker_wake(ticker);
  pthread_join(ticker->thread, NULL);
  pthread_cond_destroy(&ticker->changed);
}
