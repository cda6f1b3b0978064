/* Opens, checks or creates the pool's file in /dev/shm, and maps it into `pool`. */
#ifndef MCG_POOL_FILE_H
#define MCG_POOL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define MEMBERSHIP_BUDGET_NS 1000000000ll

/*
 * Opens and maps the file, or creates it. Returns an MMC code. If `pool.descriptor` is set afterwards,
 * the membership lock is held, whatever the code is.
 */
int32_t pool_file_open(void);

/* Whether the name of the pool still refers to the open file. */
bool pool_file_is_named(void);

/* The damage to the file since this client joined, as text for a log line; NULL if there is none. */
const char *pool_file_damage(void);

#endif
