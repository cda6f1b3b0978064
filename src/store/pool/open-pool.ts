import type { Config } from '../../config/config.ts';
import { readEvictAbove } from '../../engine-config/meta-settings.ts';
import type { Scheduler } from '../../scheduler/scheduler.ts';
import { embeddedPool } from './embedded-pool.ts';
import { metaPool } from './meta-pool.ts';
import { EVICT_ABOVE_PERCENT } from './pool-room.ts';
import type { PoolSource } from './pool-source.ts';

/** The source for what the pool holds: the engine if it can tell, else the meta service; undefined without both. */
export function openPool(
  { metaUrl, deadlineMs }: Pick<Config, 'metaUrl' | 'deadlineMs'>,
  scheduler: Pick<Scheduler, 'engine' | 'listKeys'>,
  env: NodeJS.ProcessEnv = process.env,
): PoolSource | undefined {
  const { pool } = scheduler.engine;
  if (pool !== undefined) {
    const hasThreshold = env['MMC_EMBEDDED_EVICT'] === 'threshold';
    return embeddedPool(pool, scheduler, hasThreshold ? EVICT_ABOVE_PERCENT : 'always');
  }
  if (metaUrl === undefined) return undefined;
  const evictAbove = readEvictAbove(env['MMC_META_CONFIG_PATH']) ?? EVICT_ABOVE_PERCENT;
  return metaPool(metaUrl, deadlineMs, evictAbove);
}
