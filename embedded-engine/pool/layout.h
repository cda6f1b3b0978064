/*
 * The layout of the pool's shared memory. One POSIX shared-memory object holds
 *
 *   header | chunk map | shards | entries (sparse) | segment, segment, …
 *
 * The entry table is authoritative. The hash chains and free lists of a shard and the bitmap of a
 * segment can be rebuilt from it at any time; the next owner of a lock does this if the last owner
 * has died. Processes map the object at different addresses, so it stores only indexes and offsets.
 */
#ifndef MCG_LAYOUT_H
#define MCG_LAYOUT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "call.h"
#include "key.h"
#include "mmc_abi.h"

#define POOL_MAGIC 0x6d63672d706f6f6cull
#define POOL_LAYOUT 2u /* increase it with every change of the layout below */

#define CLIENT_SLOTS 64u /* each is one bit in 64-bit masks */
#define SHARDS 64u
#define SHARD_BUCKETS 16384u
#define CHUNK_ENTRIES 32u
#define MAX_CHUNKS (512u * 1024u)
#define BYTES_PER_ENTRY_LIMIT 512u /* each 512 bytes of a segment allow one entry … */
#define MIN_ENTRY_LIMIT 32768u     /* … and the smallest segment this many */
#define MAX_SEGMENT_BYTES (16ull << 40)

#define GRANULE_BYTES 256u /* unit of allocation: sizes of objects are rounded up to it */
#define GROUP_WORDS 64u
#define GROUP_GRANULES (GROUP_WORDS * 64u)
#define GROUP_BYTES ((uint64_t)GROUP_GRANULES * GRANULE_BYTES) /* 1 MiB */
#define RUN_CLASSES 13u                                        /* runs of 2^0 … 2^12 granules */

/* Bit 0: a thread sleeps on the lock. Bits above: slot of the owner + 1. 0 means free. See lock.c. */
struct lock {
  _Atomic uint32_t word;
};

/* The entry (index + 1) and the segments (mask) that one call of a client reads or writes. */
struct pin {
  alignas(64) _Atomic uint32_t entry;
  _Atomic uint64_t services;
};

struct segment {
  alignas(64) struct lock lock; /* protects all members except those of growth */
  struct lock growth;
  _Atomic uint32_t closed;          /* its owner has died: nothing may be allocated any more */
  uint64_t bytes;                   /* the contribution; 0: a client without memory */
  uint64_t groups;                  /* of 1 MiB; the last one may be incomplete */
  uint64_t file_offset;             /* of the whole range, which starts with the summaries */
  uint64_t file_bytes;              /* length of that range */
  uint64_t bitmap_offset;           /* within the range, like data_offset */
  uint64_t data_offset;
  _Atomic uint64_t backed_groups;   /* allocated by the kernel: may be touched without SIGBUS */
  _Atomic uint64_t used_granules;
  _Atomic uint64_t top_group;       /* above all groups used so far; touch.c works above it */
  uint64_t first_group[RUN_CLASSES]; /* below it, no group has a free run of that class */
};

/* Free runs of a group, in granules; `longest` is an upper bound, the others are exact. */
struct group_summary {
  uint16_t first;
  uint16_t longest;
  uint16_t last;
  uint16_t unused;
};

enum client_state { CLIENT_FREE, CLIENT_LIVE, CLIENT_LEAVING, CLIENT_DEAD };

struct client {
  alignas(64) _Atomic uint64_t state; /* incarnation << 2 | enum client_state */
  _Atomic uint32_t swept;             /* dead, and no entry refers to it any more */
  _Atomic uint32_t pins_used;         /* later pins were never set */
  struct segment segment;
  struct pin pins[CALL_SLOTS];
};

struct pool_header {
  _Atomic uint64_t magic; /* written last; without it, the file is incomplete */
  uint32_t layout;
  uint32_t entry_bytes;
  struct hash_seed seed;
  alignas(64) _Atomic uint64_t live_services; /* clients that are alive and have memory */
  _Atomic uint32_t slots_used; /* later slots were never taken */
  _Atomic uint32_t chunk_count;
  _Atomic uint32_t reap_requested; /* a doomed entry could not be reclaimed: its lock timed out */
  struct lock chunk_lock;
  struct lock evict_lock;
  struct lock sweep_lock;
  _Atomic uint64_t evictions; /* objects evicted since the pool was created */
  struct client clients[CLIENT_SLOTS];
};

enum entry_state {
  ENTRY_FREE,
  ENTRY_RESERVED,  /* private to the owner; may already have space */
  ENTRY_WRITING,   /* its key is taken, its bytes are not complete yet */
  ENTRY_COMMITTED, /* readable */
  ENTRY_DOOMED,    /* its key is removed; calls may still be reading it */
  ENTRY_RECLAIMING /* its owner is releasing its space */
};

#define ENTRY_STATE_BITS 4u
#define ENTRY_OWNER_BITS 8u

/* A replica is one word, so that it is added and removed atomically; 0 means none. */
#define REPLICA_PRESENT (1ull << 63)
#define REPLICA_SERVICE_SHIFT 48u

struct entry {
  alignas(128) _Atomic uint64_t state; /* generation | owner | enum entry_state: the commit word */
  uint64_t hash;
  uint64_t size;
  _Atomic uint64_t used_at_ns; /* for eviction */
  uint32_t next;               /* index + 1, in a hash chain or free list */
  uint32_t key_length;
  _Atomic uint64_t replicas[MMC_MAX_REPLICAS];
  char key[MMC_MAX_KEY_BYTES];
};

_Static_assert(sizeof(struct entry) == 384, "an entry has three pairs of cache lines");

struct shard {
  alignas(64) struct lock lock;
  uint32_t free_head; /* index + 1 */
  _Atomic uint32_t count;
  uint32_t buckets[SHARD_BUCKETS]; /* index + 1 */
};

#define PAGE_BYTES 65536ull /* the largest page of the supported machines */
#define ROUND_UP(value, unit) (((value) + (unit) - 1) / (unit) * (unit))

#define CHUNK_MAP_OFFSET ROUND_UP(sizeof(struct pool_header), PAGE_BYTES)
#define SHARDS_OFFSET ROUND_UP(CHUNK_MAP_OFFSET + MAX_CHUNKS, PAGE_BYTES)
#define ENTRIES_OFFSET ROUND_UP(SHARDS_OFFSET + SHARDS * sizeof(struct shard), PAGE_BYTES)
#define CHUNK_BYTES (CHUNK_ENTRIES * sizeof(struct entry))
#define BASE_BYTES ROUND_UP(ENTRIES_OFFSET + MAX_CHUNKS * CHUNK_BYTES, PAGE_BYTES)

#endif
