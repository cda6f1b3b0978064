/* The pool's file: made by the first client, removed by the last. */
#ifndef MCG_MEMBERSHIP_H
#define MCG_MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

/* Fills `pool`; answers an MMC code. */
int32_t membership_take(bool contributes);
void membership_give_up(void);

/* In a forked child: lets go of the parent's pool without touching it. */
void membership_disown(void);

#endif
