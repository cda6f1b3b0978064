/* Removes the key of an entry, and releases its space when no call reads it any more. */
#ifndef MCG_RECLAIM_H
#define MCG_RECLAIM_H

#include "entry.h"

/* Removes the key; the shard of the entry must be locked. */
void reclaim_doom(uint32_t shard, struct entry *entry);

/* Releases a doomed entry, unless a call pins it; the end of that call then releases it. */
void reclaim_entry(struct entry *entry);
void reclaim_entry_locked(uint32_t shard, struct entry *entry); /* the shard is locked */

/* Releases an entry that belongs to the caller: reserved, or inherited from a dead client. */
void reclaim_own(struct entry *entry, int64_t *budget_ns);
void reclaim_own_locked(uint32_t shard, struct entry *entry);

#endif
