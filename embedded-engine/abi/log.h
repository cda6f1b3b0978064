/* Debug lines go to stdout, warnings go to stderr. */
#ifndef MCG_LOG_H
#define MCG_LOG_H

#include <stdbool.h>
#include <stddef.h>

bool log_set_level(int level);
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

void log_forget_warning(void);

/* The text of the last warning that is not forgotten, whatever the level; empty without one. `bytes` is at least 1. */
void log_copy_last_warning(char *text, size_t bytes);

#endif
