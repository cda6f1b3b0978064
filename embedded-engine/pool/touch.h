/* Prepares memory before puts use it; only in clients that contribute memory. */
#ifndef MCG_TOUCH_H
#define MCG_TOUCH_H

#include <stdbool.h>

#define TOUCH_AHEAD_GROUPS 256u
#define TOUCH_AHEAD_CHUNKS 512u /* of the entry table: 6 MiB */

bool touch_start(void);
void touch_stop(void);

#endif
