import { MmcError } from '../../native/abi/errors.ts';
import type { PoolCalls, PoolStats } from '../../native/calls/pool-calls.ts';
import type { Scheduler } from '../../scheduler/scheduler.ts';
import { problemOfCode, problemOfThrown } from '../engine-problem.ts';
import type { PoolSource } from './pool-source.ts';

/** The pool of the embedded engine, which reports it by itself. */
export function embeddedPool(pool: PoolCalls, scheduler: Pick<Scheduler, 'listKeys'>): PoolSource {
  const figures = (): Promise<PoolStats> =>
    Promise.resolve()
      .then(() => pool.stats())
      .catch(explained);
  return {
    capacity: () =>
      figures().then(({ media, objects, evictions }) => ({ media, objects, evictions })),
    segments: () => figures().then(({ segments }) => segments),
    health: () => figures().then(() => ({ status: 'ok' })),
    keys: (range, caller) => scheduler.listKeys(pool, range, caller).catch(explained),
  };
}

function explained(error: unknown): never {
  if (error instanceof MmcError) throw problemOfCode('stat', error.errno);
  throw problemOfThrown('stat', error);
}
