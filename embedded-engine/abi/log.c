/*
 * Each line is one write(2) to the descriptor. The buffers of stdio belong to the host; using them
 * could mix a line of the engine with a line of the host.
 */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "mmc_abi.h"

static atomic_int current_level = MMC_LOG_WARN;

static pthread_mutex_t last_warning_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_warning[384];

bool log_set_level(int level) {
  if (level < MMC_LOG_DEBUG || level > MMC_LOG_ERROR) return false;
  atomic_store(&current_level, level);
  return true;
}

static void write_line(int descriptor, const char *level, const char *format, va_list arguments) {
  char line[512];
  int used = snprintf(line, sizeof line, "memcache-embedded %s: ", level);
  int more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
  if (more < 0) return;
  size_t length = (size_t)used + (size_t)more;
  if (length > sizeof line - 2) length = sizeof line - 2;
  line[length] = '\n';
  ssize_t ignored = write(descriptor, line, length + 1);
  (void)ignored;
}

void log_debug(const char *format, ...) {
  if (atomic_load_explicit(&current_level, memory_order_relaxed) > MMC_LOG_DEBUG) return;
  va_list arguments;
  va_start(arguments, format);
  write_line(STDOUT_FILENO, "debug", format, arguments);
  va_end(arguments);
}

static void keep_warning(const char *format, va_list arguments) {
  pthread_mutex_lock(&last_warning_lock);
  vsnprintf(last_warning, sizeof last_warning, format, arguments);
  pthread_mutex_unlock(&last_warning_lock);
}

void log_forget_warning(void) {
  pthread_mutex_lock(&last_warning_lock);
  last_warning[0] = '\0';
  pthread_mutex_unlock(&last_warning_lock);
}

void log_copy_last_warning(char *text, size_t bytes) {
  pthread_mutex_lock(&last_warning_lock);
  snprintf(text, bytes, "%s", last_warning);
  pthread_mutex_unlock(&last_warning_lock);
}

void log_warning(const char *format, ...) {
  va_list kept;
  va_start(kept, format);
  keep_warning(format, kept);
  va_end(kept);
  if (atomic_load_explicit(&current_level, memory_order_relaxed) > MMC_LOG_WARN) return;
  va_list arguments;
  va_start(arguments, format);
  write_line(STDERR_FILENO, "warning", format, arguments);
  va_end(arguments);
}
