import type { Config } from '../config/config.ts';
import { textBudgetBytes } from '../config/heap.ts';
import { HeldBytes } from '../http/body/held-bytes.ts';
import { Clients } from '../http/clients/clients.ts';
import { TransferWatch } from '../http/connection/transfer-watch.ts';
import type { Gateway } from '../http/exchange.ts';
import type { Access } from '../http/security/access.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { tracedSyncCalls } from '../scheduler/traced-sync-calls.ts';
import { batchStore } from '../store/batch/batch-store.ts';
import { EngineStore, type StoreScheduler } from '../store/engine-store.ts';
import { openPool } from '../store/pool/open-pool.ts';

interface GatewayParts {
  readonly scheduler: Scheduler;
  readonly buffers: Gateway['buffers'];
}

/** Puts together what the routes of a worker work with. */
export function createGateway(
  config: Config,
  access: Access,
  { scheduler, buffers }: GatewayParts,
  onEnd: Gateway['onEnd'],
): Gateway {
  const { arena, engine } = scheduler;
  const { poolBytes, devices } = config;
  const pool = openPool(config, scheduler);
  const store = new EngineStore(traced(scheduler), {
    arenaWaitMs: config.arenaWaitMs,
    putWaitMs: config.putWaitMs,
    // Each client of the embedded engine contributes one segment (placement.c).
    poolBytes: engine.embedded
      ? { segment: poolBytes, total: poolBytes * devices.length }
      : undefined,
    room: () => pool?.room(),
    singleFlight: config.singleFlight,
    staleReadMs: config.staleReadMs,
    sizeCacheKeys: config.sizeCacheKeys,
  });
  return {
    access,
    store,
    batches: batchStore(scheduler.batches, store, config),
    pool,
    buffers,
    heldText: new HeldBytes(textBudgetBytes(config)),
    limits: {
      maxObjectBytes: Math.min(config.maxObjectBytes, arena.maxBlockBytes),
      unsizedBytes: Math.min(config.unsizedBytes, arena.maxBlockBytes),
      batchKeys: config.batchKeys,
      batchJsonBytes: config.batchJsonBytes,
      keepAliveMs: config.keepAliveMs,
    },
    layouts: config.layout,
    watch: new TransferWatch(config, {
      contended: () => arena.stats().waiters > 0,
      isCrowding: (peer) => arena.isCrowding(peer),
    }),
    clients: new Clients({
      inFlight: config.clientInFlight,
      bytesPerSecond: config.clientBytesPerSecond,
    }),
    draining: false,
    onEnd,
  };
}

/** The scheduler records its own calls; those on the JavaScript thread do not use it. */
function traced(scheduler: Scheduler): StoreScheduler {
  const { arena, deadlineMs, single, engine } = scheduler;
  const sync = engine.sync && tracedSyncCalls(engine.sync);
  return { arena, deadlineMs, single, engine: { sync } };
}
