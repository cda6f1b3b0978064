/* Debug lines go to stdout, warnings go to stderr. */
#ifndef MCG_LOG_H
#define MCG_LOG_H

#include <stdbool.h>

bool log_set_level(int level);
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
