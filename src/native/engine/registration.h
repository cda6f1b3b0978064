/* Memory regions the host has announced. The embedded engine needs none, but answers alike. */
#ifndef MCG_REGISTRATION_H
#define MCG_REGISTRATION_H

#include <stdint.h>

int32_t registration_add(uint64_t address, uint64_t bytes);
void registration_remove(uint64_t address, uint64_t bytes);
void registration_clear(void);

#endif
