import { MmcError } from '../../native/abi/errors.ts';
import type { PoolCalls, PoolStats } from '../../native/calls/pool-calls.ts';
import type { Scheduler } from '../../scheduler/scheduler.ts';
import { problemOfCode, problemOfThrown } from '../engine-problem.ts';
import { type EvictionRule, type PoolRoom, roomOf } from './pool-room.ts';
import type { PoolSource } from './pool-source.ts';

/** The pool of the embedded engine, which reports it by itself. */
export function embeddedPool(
  pool: PoolCalls,
  scheduler: Pick<Scheduler, 'listKeys'>,
  rule: EvictionRule,
): PoolSource {
  const figures = (): Promise<PoolStats> =>
    Promise.resolve()
      .then(() => pool.stats())
      .catch(explained);
  return {
    capacity: () =>
      figures().then(({ media, objects, evictions }) => ({ media, objects, evictions })),
    room: () => roomNow(pool, rule),
    segments: () => figures().then(({ segments }) => segments),
    health: () => figures().then(() => ({ status: 'ok' })),
    keys: (range, caller) => scheduler.listKeys(pool, range, caller).catch(explained),
  };
}

/** Undefined once the engine has left its pool. */
function roomNow(pool: PoolCalls, rule: EvictionRule): PoolRoom | undefined {
  try {
    return roomOf(pool.stats(), rule);
  } catch (error) {
    if (error instanceof MmcError) return undefined;
    throw error;
  }
}

function explained(error: unknown): never {
  if (error instanceof MmcError) throw problemOfCode('stat', error.errno);
  throw problemOfThrown('stat', error);
}
