/* The pool's file in /dev/shm: found, judged, made; mapped into `pool`. */
#ifndef MCG_POOL_FILE_H
#define MCG_POOL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define MEMBERSHIP_BUDGET_NS 1000000000ll

/*
 * Opens and maps the file, or makes it; the membership lock is held when `pool.descriptor` is
 * set afterwards, whatever the answer, which is an MMC code.
 */
int32_t pool_file_open(void);

/* Whether the pool's name still leads to the file that is open. */
bool pool_file_is_named(void);

/* What has become of the file since this client joined, for people; NULL if nothing. */
const char *pool_file_damage(void);

#endif
