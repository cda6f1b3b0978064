/* Allocates memory from the kernel before it is touched, so that a full tmpfs is an error code. */
#ifndef MCG_BACKING_H
#define MCG_BACKING_H

#include <stdbool.h>
#include <stdint.h>

bool backing_obtain(int descriptor, uint64_t offset, uint64_t bytes);
bool backing_return(int descriptor, uint64_t offset, uint64_t bytes);

/* Whether a quarter of the file system is free, so that allocating in advance harms no other program. */
bool backing_is_plentiful(int descriptor);

/* Maps allocated pages into the page table of this process without changing them. */
void backing_touch(void *address, uint64_t bytes);

#endif
