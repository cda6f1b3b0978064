/** A worker's environment: what libuv, the engines and the loader read before any of our code runs. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Config } from '../config.ts';

export interface EnvironmentOptions {
  readonly config: Config;
  /** The embedded engine's pool; see `newPoolName`. */
  readonly poolName: string;
  /** Of libuv: for each engine call that may be under way, and a few (native/limits.ts). */
  readonly threads: number;
  /** For the distributed engine: the library that keeps its address range free, and how large it is. */
  readonly reserve: { readonly library: string; readonly bytes: number } | undefined;
}

export function workerEnvironment(
  base: NodeJS.ProcessEnv,
  options: EnvironmentOptions,
): NodeJS.ProcessEnv {
  const { config, poolName, reserve, threads } = options;
  const env: NodeJS.ProcessEnv = {
    ...base,
    UV_THREADPOOL_SIZE: String(threads),
    MMC_EMBEDDED_POOL: poolName,
    MMC_EMBEDDED_BYTES: String(config.poolBytes),
  };
  if (reserve !== undefined) {
    const others = base['LD_PRELOAD'];
    env['LD_PRELOAD'] = others ? `${reserve.library}:${others}` : reserve.library;
    env['MCG_RESERVE_BYTES'] = String(reserve.bytes);
  }
  return env;
}

/** Of the embedded engine: the memory of a pool that nobody can join any more. */
export function removePool(name: string | undefined): void {
  if (name !== undefined) rmSync(`/dev/shm/${name}`, { force: true });
}

/** A name that only this gateway's workers share; the prefix lets the engine sweep what killed ones left. */
export function newPoolName(): string {
  const uid = process.getuid?.() ?? 0;
  return `mcg-${uid}-${process.pid.toString(36)}-${randomBytes(6).toString('hex')}`;
}
