/* The end of an entry: its key is taken away, and once nobody reads it, its space and itself. */
#ifndef MCG_RECLAIM_H
#define MCG_RECLAIM_H

#include "entry.h"

/* Takes the key away; the entry's shard must be locked. */
void reclaim_doom(uint32_t shard, struct entry *entry);

/* Gives a doomed entry back unless somebody pins it, who then does it himself. */
void reclaim_entry(struct entry *entry);
void reclaim_entry_locked(uint32_t shard, struct entry *entry); /* its shard is locked */

/* Gives back an entry that is the caller's own: reserved, or inherited from a dead client. */
void reclaim_own(struct entry *entry, int64_t *budget_ns);
void reclaim_own_locked(uint32_t shard, struct entry *entry);

#endif
