/* Who is alive, told by locks that only the kernel can take from a process. */
#ifndef MCG_LIVENESS_H
#define MCG_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

/* On the pool's file: excludes others from creating, joining, leaving and removing. */
bool liveness_lock_membership(int descriptor, int64_t budget_ns);
void liveness_unlock_membership(int descriptor);

bool liveness_hold(int descriptor, uint32_t slot);
bool liveness_any_held(int descriptor);

/* Also marks the client dead, so that the next sweep sees it. The slot may be any number. */
bool liveness_is_dead(uint32_t slot);

#endif
