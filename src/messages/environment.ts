/** The environment of a worker, which libuv, the engine and the loader read before the gateway's code runs. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Config } from '../config/config.ts';

export interface EnvironmentOptions {
  readonly config: Config;
  /** The pool of the embedded engine; see `newPoolName`. */
  readonly poolName: string;
  /** For libuv: one thread for each engine call that may be in flight, and a few more (native/abi/limits.ts). */
  readonly threads: number;
  /** For the distributed engine: the library that reserves its address range, and the size of the range. */
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

const PRIVATE = 'mcg-';

/**
 * For the embedded engine: removes the memory of a private pool, which no process can join any more. A
 * pool with a name of the operator stays as long as other programs use it; the engine removes it then.
 */
export function removePool(name: string | undefined): void {
  if (name?.startsWith(PRIVATE)) rmSync(`/dev/shm/${name}`, { force: true });
}

/** A name that only the workers of this gateway share; its prefix lets the engine remove dead pools. */
export function newPoolName(): string {
  const uid = process.getuid?.() ?? 0;
  return `${PRIVATE}${uid}-${process.pid.toString(36)}-${randomBytes(6).toString('hex')}`;
}
