import type { Config } from '../config/config.ts';
import { textBudgetBytes } from '../config/heap.ts';
import { HeldBytes } from '../http/body/held-bytes.ts';
import { TransferWatch } from '../http/connection/transfer-watch.ts';
import type { Gateway } from '../http/exchange.ts';
import type { Access } from '../http/security/access.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { batchStore } from '../store/batch/batch-store.ts';
import { EngineStore } from '../store/engine-store.ts';
import { openPool } from '../store/pool/open-pool.ts';

/** Puts together what the routes of a worker work with. */
export function createGateway(
  config: Config,
  access: Access,
  scheduler: Scheduler,
  onEnd: Gateway['onEnd'],
): Gateway {
  const { arena, engine } = scheduler;
  const { poolBytes, devices } = config;
  const store = new EngineStore(scheduler, {
    arenaWaitMs: config.arenaWaitMs,
    putWaitMs: config.putWaitMs,
    // Each client of the embedded engine contributes one segment (placement.c).
    poolBytes: engine.embedded
      ? { segment: poolBytes, total: poolBytes * devices.length }
      : undefined,
    singleFlight: config.singleFlight,
    staleReadMs: config.staleReadMs,
    sizeCacheKeys: config.sizeCacheKeys,
  });
  return {
    access,
    store,
    batches: batchStore(scheduler.batches, store, config),
    pool: openPool(config, scheduler),
    heldText: new HeldBytes(textBudgetBytes(config)),
    limits: {
      maxObjectBytes: Math.min(config.maxObjectBytes, arena.maxBlockBytes),
      unsizedBytes: Math.min(config.unsizedBytes, arena.maxBlockBytes),
      batchKeys: config.batchKeys,
      batchJsonBytes: config.batchJsonBytes,
      keepAliveMs: config.keepAliveMs,
    },
    layouts: config.layout,
    watch: new TransferWatch(config, { contended: () => arena.stats().waiters > 0 }),
    draining: false,
    onEnd,
  };
}
