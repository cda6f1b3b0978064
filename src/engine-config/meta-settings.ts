/**
 * What the gateway must know of the meta service, from its configuration file. The meta service may run on
 * another machine, and its own start reports faults of the file: what cannot be read is not known.
 */
import { EngineFileError, readEngineFile } from './engine-file.ts';
import { readLines } from './engine-file-lines.ts';
import { evictHighKey, leaseKey, metaKeys } from './meta-config-keys.ts';

/** The shortest default of any version; 1.2 documents a longer one, but its code uses this. */
export const DEFAULT_LEASE_MS = 2000;

export interface Lease {
  readonly path: string;
  /** 0 if no line of the file sets it. */
  readonly line: number;
  readonly leaseMs: number;
}

/**
 * Reads `ock.mmc.meta.lease_ttl_ms` from the file that `MMC_META_CONFIG_PATH` names. Undefined if there
 * is no such file, if it cannot be read, or if the value is not a whole number.
 */
export function readLease(path: string | undefined): Lease | undefined {
  if (path === undefined || path === '') return undefined;
  const lines = linesOf(path);
  if (lines === undefined) return undefined;
  const line = lines.get(leaseKey);
  if (line === undefined) return { path, line: 0, leaseMs: DEFAULT_LEASE_MS };
  if (!/^\d+$/.test(line.value)) return undefined;
  return { path, line: line.number, leaseMs: Number(line.value) };
}

/** The percentage of use above which the pool evicts (`ock.mmc.evict_threshold_high`); undefined if it is not known. */
export function readEvictAbove(path: string | undefined): number | undefined {
  if (path === undefined || path === '') return undefined;
  const value = linesOf(path)?.get(evictHighKey)?.value ?? '';
  const percent = Number(value);
  return /^\d+$/.test(value) && percent >= 1 && percent <= 100 ? percent : undefined;
}

function linesOf(path: string): ReturnType<typeof readLines> | undefined {
  const text = readable(path);
  return text === undefined ? undefined : readLines(text, metaKeys, ignore, ignore);
}

function readable(path: string): string | undefined {
  try {
    return readEngineFile('MMC_META_CONFIG_PATH', path);
  } catch (error) {
    if (error instanceof EngineFileError) return undefined;
    throw error;
  }
}

function ignore(): void {}
