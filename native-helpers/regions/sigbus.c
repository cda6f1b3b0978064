/* The SIGBUS handler. Everything that it calls is async-signal-safe. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "regions.h"
#include "table.h"

#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool installed;
static struct sigaction previous;
static uintptr_t page_bytes;

/* The faulting instruction runs again when the handler returns. */
static bool is_synchronous(const siginfo_t *info) {
  return info->si_code == BUS_ADRALN || info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR ||
         info->si_code == BUS_MCEERR_AR;
}

/*
 * The kernel's own mmap: the address is inside a mapping of this library, so nothing else is replaced. All
 * pages behind the missing one are replaced as well. The region is broken anyway, and one fault for each
 * page would take a second for a large copy.
 */
static bool map_zeros(uintptr_t page, uintptr_t end) {
  const int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#ifdef SYS_mmap
  return syscall(SYS_mmap, page, end - page, PROT_READ | PROT_WRITE, flags, -1, 0) == (long)page;
#else
  return mmap((void *)page, end - page, PROT_READ | PROT_WRITE, flags, -1, 0) == (void *)page;
#endif
}

/* The default action ends the process, with the signal as the reason. */
static void take_default(const siginfo_t *info) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  sigaction(SIGBUS, &action, NULL);
  if (!is_synchronous(info)) raise(SIGBUS);
}

/* Calls the handler that was installed before, with the signal mask that it asked for. */
static void call_previous(int number, siginfo_t *info, void *context) {
  const struct sigaction action = previous;
  sigset_t block = action.sa_mask;
  sigset_t before;
  if ((action.sa_flags & SA_RESETHAND) != 0) {
    previous.sa_handler = SIG_DFL;
    previous.sa_flags = 0;
  }
  pthread_sigmask(SIG_BLOCK, &block, &before);
  if ((action.sa_flags & SA_NODEFER) != 0 && sigismember(&action.sa_mask, SIGBUS) == 0) {
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &own, NULL);
  }
  if ((action.sa_flags & SA_SIGINFO) != 0) action.sa_sigaction(number, info, context);
  else action.sa_handler(number);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void pass_on(int number, siginfo_t *info, void *context) {
  const bool has_info = (previous.sa_flags & SA_SIGINFO) != 0;
  if (!has_info && previous.sa_handler == SIG_DFL) take_default(info);
  else if (!has_info && previous.sa_handler == SIG_IGN) {
    /* The kernel does not let a process ignore a fault. */
    if (is_synchronous(info)) take_default(info);
  } else {
    call_previous(number, info, context);
  }
}

static void on_sigbus(int number, siginfo_t *info, void *context) {
  const int saved = errno;
  const uintptr_t address = (uintptr_t)info->si_addr;
  uintptr_t end;
  const bool is_ours = info->si_code == BUS_ADRERR && table_break(address, &end) &&
                       map_zeros(address / page_bytes * page_bytes, end);
  if (!is_ours) pass_on(number, info, context);
  errno = saved;
}

static int install_locked(void) {
  struct sigaction action;
  if (installed) return 0;
  page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
  if (sigaction(SIGBUS, NULL, &previous) != 0) return -errno;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_sigbus;
  /* SA_RESTART concerns a signal that another process sends, and is the choice of the previous handler. */
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous.sa_flags & SA_RESTART);
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGBUS, &action, NULL) != 0) return -errno;
  installed = true;
  return 0;
}

EXPORT int mcg_regions_install(void) {
  pthread_mutex_lock(&mutex);
  int code = install_locked();
  pthread_mutex_unlock(&mutex);
  return code;
}

EXPORT int mcg_regions_check(void) {
  struct sigaction action;
  sigset_t blocked;
  if (sigaction(SIGBUS, NULL, &action) != 0) return -errno;
  if ((action.sa_flags & SA_SIGINFO) == 0 || action.sa_sigaction != on_sigbus) return -ENOENT;
  if (pthread_sigmask(SIG_SETMASK, NULL, &blocked) != 0) return -EINVAL;
  return sigismember(&blocked, SIGBUS) == 1 ? -EPERM : 0;
}
