/* Finds out which clients are alive, from file locks that the kernel releases at process end. */
#ifndef MCG_LIVENESS_H
#define MCG_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

/* The lock on the pool's file for create, join, leave and remove. */
bool liveness_lock_membership(int descriptor, int64_t budget_ns);
void liveness_unlock_membership(int descriptor);

bool liveness_hold(int descriptor, uint32_t slot);
bool liveness_any_held(int descriptor);

/* Also marks the client dead for the next sweep. Accepts any number as the slot. */
bool liveness_is_dead(uint32_t slot);

#endif
