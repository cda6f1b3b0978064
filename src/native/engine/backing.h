/* Memory obtained from the kernel before it is touched, so that a full tmpfs is an answer. */
#ifndef MCG_BACKING_H
#define MCG_BACKING_H

#include <stdbool.h>
#include <stdint.h>

bool backing_obtain(int descriptor, uint64_t offset, uint64_t bytes);
bool backing_return(int descriptor, uint64_t offset, uint64_t bytes);

/* Whether a quarter of the file system is still free, so that taking more ahead robs nobody. */
bool backing_is_plentiful(int descriptor);

/* Brings backed pages into this process's page table without changing them. */
void backing_touch(void *address, uint64_t bytes);

#endif
