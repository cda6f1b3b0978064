/* The pool's file: made by the first client, removed by the last. */
#ifndef MCG_MEMBERSHIP_H
#define MCG_MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

/* Fills `pool`; answers an MMC code. */
int32_t membership_take(bool contributes);
void membership_give_up(void);

/* Lets go of a destroyed pool, of which nothing can be put in order. */
void membership_abandon(void);

/* In a forked child: lets go of the parent's pool without touching it. */
void membership_disown(void);

#endif
