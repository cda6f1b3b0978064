/* Memory regions that the host has registered. The embedded engine needs none, but returns the same codes. */
#ifndef MCG_REGISTRATION_H
#define MCG_REGISTRATION_H

#include <stdint.h>

int32_t registration_add(uint64_t address, uint64_t bytes);
void registration_remove(uint64_t address, uint64_t bytes);
void registration_clear(void);

#endif
