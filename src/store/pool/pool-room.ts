import type { PoolCapacity } from './pool-source.ts';

/** Room for objects in the memory of the pool. SSD does not count: the engine puts no new object there. */
export interface PoolRoom {
  readonly capacityBytes: number;
  readonly freeBytes: number;
  /** Whether the engine evicts objects for a put that finds no room. */
  readonly evicts: boolean;
}

/** Percent of the pool in use above which an engine with the rule `threshold` evicts. */
export const EVICT_ABOVE_PERCENT = 90;

/**
 * `always`: the engine evicts for every put that does not fit. A number: it evicts only while more than
 * this percentage of the pool is in use.
 */
export type EvictionRule = 'always' | number;

/** Undefined if no memory of the pool is known. */
export function roomOf({ media }: PoolCapacity, rule: EvictionRule): PoolRoom | undefined {
  const memory = media.filter(({ medium, totalBytes }) => medium !== 'SSD' && totalBytes > 0);
  if (memory.length === 0) return undefined;
  const sum = (of: (bytes: PoolCapacity['media'][number]) => number): number =>
    memory.reduce((total, bytes) => total + of(bytes), 0);
  const isAbove = (used: number, total: number): boolean =>
    rule === 'always' || used * 100 > total * rule;
  const capacityBytes = sum(({ totalBytes }) => totalBytes);
  const usedBytes = sum((bytes) => bytes.usedBytes);
  return {
    capacityBytes,
    freeBytes: sum(({ freeBytes }) => freeBytes),
    evicts:
      isAbove(usedBytes, capacityBytes) ||
      memory.some((bytes) => isAbove(bytes.usedBytes, bytes.totalBytes)),
  };
}

/**
 * The last result of `load`, if `load` began at most `maxAgeMs` ago; never waits. Each call starts `load`,
 * for the calls that follow, unless it is running.
 */
export function lately<T>(
  maxAgeMs: number,
  load: () => Promise<T>,
  now = () => performance.now(),
): () => T | undefined {
  let last: { readonly value: T; readonly atMs: number } | undefined;
  let isLoading = false;
  return () => {
    const nowMs = now();
    if (!isLoading) {
      isLoading = true;
      load()
        .then(
          (value) => {
            last = { value, atMs: nowMs };
          },
          () => undefined,
        )
        .finally(() => {
          isLoading = false;
        });
    }
    return last !== undefined && nowMs - last.atMs <= maxAgeMs ? last.value : undefined;
  };
}
