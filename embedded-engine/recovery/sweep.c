/*
 * In this order, every step can be repeated, and interrupted at any instruction: remove the dead
 * clients from the mask of live services (their objects are lost from now on), close their segments,
 * clear their pins, inherit their locks, then remove all references to them in one walk over the
 * table. A slot is free when such a walk has found no reference, no live client pins its segment,
 * and its memory has been returned to the kernel.
 *
 * Only one client sweeps at a time; otherwise a slow one could clear the pins of the next owner of a
 * slot.
 */
#include "sweep.h"

#include "backing.h"
#include "lock.h"
#include "log.h"
#include "pin.h"
#include "reclaim.h"
#include "segment.h"
#include "shard.h"
#include "space.h"

#define STEP_BUDGET_NS 20000000ll
#define RETURN_STEP_BYTES (64ull << 20)
#define SELF_SWEEP_TRIES 5

struct walk {
  uint32_t shard;
  uint64_t dead;
  uint64_t still_referred; /* dead services that some entry still names */
};

static bool is_orphaned(const struct entry *entry) {
  uint64_t word = atomic_load(&entry->state);
  if (!(entry_services(entry) & pool_live_services())) return true;
  if (entry_state_of(word) != ENTRY_WRITING) return false;
  uint64_t owner = atomic_load(&pool_client(entry_owner_of(word))->state);
  return client_state_of(owner) == CLIENT_DEAD;
}

struct entry *sweep_find(uint32_t shard, uint64_t hash, const struct key *key) {
  struct entry *entry = shard_find(shard, hash, key);
  if (entry == NULL || !is_orphaned(entry)) return entry;
  reclaim_doom(shard, entry);
  return NULL;
}

static void drop_dead_replicas(struct entry *entry, const struct walk *walk) {
  for (uint32_t i = 0; i < MMC_MAX_REPLICAS; i++) {
    uint64_t replica = atomic_load(&entry->replicas[i]);
    if (replica != 0 && (walk->dead & service_bit(replica_service(replica)))) {
      atomic_store(&entry->replicas[i], 0);
    }
  }
}

static void doom_and_reclaim(struct entry *entry, const struct walk *walk) {
  reclaim_doom(walk->shard, entry);
  reclaim_entry_locked(walk->shard, entry);
}

static void visit(struct entry *entry, void *context) {
  struct walk *walk = context;
  uint64_t word = atomic_load(&entry->state);
  bool owner_is_dead = (walk->dead & service_bit(entry_owner_of(word))) != 0;
  switch (entry_state_of(word)) {
    case ENTRY_FREE:
      return;
    case ENTRY_RESERVED:
    case ENTRY_RECLAIMING:
      if (owner_is_dead) reclaim_own_locked(walk->shard, entry);
      break;
    case ENTRY_WRITING:
    case ENTRY_COMMITTED:
      if (entry_state_of(word) == ENTRY_COMMITTED || !owner_is_dead) {
        drop_dead_replicas(entry, walk);
        if (entry_services(entry) != 0) break;
      }
      doom_and_reclaim(entry, walk);
      break;
    case ENTRY_DOOMED:
      reclaim_entry_locked(walk->shard, entry);
      break;
    default:
      pool_condemn();
      return;
  }
  walk->still_referred |= entry_services(entry) & walk->dead;
}

static bool walk_all(struct walk *walk) {
  bool complete = true;
  for (walk->shard = 0; walk->shard < SHARDS; walk->shard++) {
    int64_t budget_ns = STEP_BUDGET_NS;
    if (!shard_lock(walk->shard, &budget_ns)) {
      complete = false;
      continue;
    }
    entry_visit(walk->shard, visit, walk);
    shard_unlock(walk->shard);
  }
  return complete;
}

static bool settle_locks(uint64_t dead) {
  bool settled = true;
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    int64_t budget_ns = STEP_BUDGET_NS;
    if (dead & service_bit(slot)) {
      settled &= space_close(slot, &budget_ns);
    } else if (pool_live_services() & service_bit(slot)) {
      settled &= space_settle(slot, dead, &budget_ns);
    }
  }
  int64_t budget_ns = STEP_BUDGET_NS;
  settled &= lock_settle(&pool.header->chunk_lock, dead, &budget_ns);
  settled &= lock_settle(&pool.header->evict_lock, dead, &budget_ns);
  return settled;
}

static uint64_t clients_to_bury(bool swept) {
  uint64_t mask = 0;
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    struct client *client = pool_client(slot);
    enum client_state state = client_state_of(atomic_load(&client->state));
    bool leaving = slot == pool.self && state == CLIENT_LEAVING;
    if ((state == CLIENT_DEAD || leaving) && (atomic_load(&client->swept) != 0) == swept) {
      mask |= service_bit(slot);
    }
  }
  return mask;
}

static bool sweep_dead(uint64_t dead) {
  atomic_fetch_and(&pool.header->live_services, ~dead);
  bool settled = settle_locks(dead);
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    if (dead & service_bit(slot)) pin_clear_all(pool_client(slot));
  }
  struct walk walk = {0, dead, 0};
  bool complete = walk_all(&walk) && settled;
  for (uint32_t slot = 0; slot < pool_slots() && complete; slot++) {
    if (!(dead & ~walk.still_referred & service_bit(slot))) continue;
    atomic_store(&pool_client(slot)->swept, 1);
    log_debug("swept after the death of client %u", slot);
  }
  return complete && walk.still_referred == 0;
}

/* In steps from the end, so that an interrupted return can continue. */
static bool return_memory(uint32_t slot) {
  struct segment *segment = &pool_client(slot)->segment;
  struct segment_range range;
  if (segment_read_range(slot, &range) != RANGE_READ) return false;
  for (uint64_t left = range.left_bytes; left > 0;) {
    uint64_t step = left % RETURN_STEP_BYTES;
    if (step == 0) step = RETURN_STEP_BYTES;
    left -= step;
    if (!backing_return(pool.descriptor, range.file_offset + left, step)) return false;
    segment->file_bytes = left;
  }
  return true;
}

static void free_slot(uint32_t slot) {
  struct client *client = pool_client(slot);
  if (client->segment.bytes > 0 && !return_memory(slot)) return;
  uint64_t word = atomic_load(&client->state);
  atomic_store(&client->state, (word & ~3ull) | CLIENT_FREE);
}

static bool free_swept_slots(void) {
  uint64_t swept = clients_to_bury(true);
  uint64_t idle = swept & ~pin_services_in_use();
  for (uint32_t slot = 0; slot < pool_slots(); slot++) {
    if (idle & service_bit(slot)) free_slot(slot);
  }
  return clients_to_bury(true) == 0;
}

static bool sweep_locked(void) {
  uint64_t dead = clients_to_bury(false);
  bool reap = atomic_exchange(&pool.header->reap_requested, 0) != 0;
  if ((dead != 0 || reap) && !sweep_dead(dead)) {
    if (reap) atomic_store(&pool.header->reap_requested, 1);
    return false;
  }
  return free_swept_slots();
}

bool sweep_run(void) {
  int64_t budget_ns = 0;
  if (lock_acquire(&pool.header->sweep_lock, &budget_ns) == LOCK_TIMED_OUT) return false;
  bool done = sweep_locked();
  lock_release(&pool.header->sweep_lock);
  return done;
}

/* If this cannot finish, the client marks itself dead, and the other clients sweep after it. */
void sweep_self(void) {
  struct client *self = pool_self();
  pool_set_state((pool.state & ~3ull) | CLIENT_LEAVING);
  for (int tries = 0; tries < SELF_SWEEP_TRIES; tries++) {
    int64_t budget_ns = STEP_BUDGET_NS;
    if (lock_acquire(&pool.header->sweep_lock, &budget_ns) == LOCK_TIMED_OUT) continue;
    sweep_locked();
    lock_release(&pool.header->sweep_lock);
    if (client_state_of(atomic_load(&self->state)) == CLIENT_FREE) return;
  }
  pool_set_state((pool.state & ~3ull) | CLIENT_DEAD);
}
