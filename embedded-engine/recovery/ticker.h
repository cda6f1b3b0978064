/* A background thread that calls one function periodically, and whenever it is woken. */
#ifndef MCG_TICKER_H
#define MCG_TICKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct ticker {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  pthread_t thread;
  bool woken;
  atomic_bool stopping;
  const char *name;
  unsigned (*once)(void); /* returns the milliseconds until its next call */
};

#define TICKER_INITIALIZER {.mutex = PTHREAD_MUTEX_INITIALIZER}

bool ticker_start(struct ticker *ticker, const char *name, unsigned (*once)(void));
void ticker_stop(struct ticker *ticker);
void ticker_wake(struct ticker *ticker);

#endif
