import type { Config } from '../../config/config.ts';
import type { Scheduler } from '../../scheduler/scheduler.ts';
import { embeddedPool } from './embedded-pool.ts';
import { metaPool } from './meta-pool.ts';
import type { PoolSource } from './pool-source.ts';

/** The source for what the pool holds: the engine if it can tell, else the meta service; undefined without both. */
export function openPool(
  { metaUrl, deadlineMs }: Pick<Config, 'metaUrl' | 'deadlineMs'>,
  scheduler: Pick<Scheduler, 'engine' | 'listKeys'>,
): PoolSource | undefined {
  const { pool } = scheduler.engine;
  if (pool !== undefined) return embeddedPool(pool, scheduler);
  return metaUrl === undefined ? undefined : metaPool(metaUrl, deadlineMs);
}
