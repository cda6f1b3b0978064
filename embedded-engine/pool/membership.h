/* The pool's file: the first client creates it, the last one removes it. */
#ifndef MCG_MEMBERSHIP_H
#define MCG_MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

/* Fills `pool`; returns an MMC code. */
int32_t membership_take(bool contributes);
void membership_give_up(void);

/* Releases a destroyed pool without changing it, because its content is invalid. */
void membership_abandon(void);

/* In a forked child: releases the parent's pool without touching it. */
void membership_disown(void);

#endif
