/** The read lease of the pool, from the meta service's configuration file. */
import { EngineFileError, readEngineFile } from './engine-file.ts';
import { readLines } from './engine-file-lines.ts';
import { leaseKey, metaKeys } from './meta-config-keys.ts';

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
 * is no such file, if it cannot be read, or if the value is not a whole number: the meta service may run on
 * another machine, and its own start reports faults of the file.
 */
export function readLease(path: string | undefined): Lease | undefined {
  if (path === undefined || path === '') return undefined;
  const text = readable(path);
  if (text === undefined) return undefined;
  const line = readLines(text, metaKeys, ignore, ignore).get(leaseKey);
  if (line === undefined) return { path, line: 0, leaseMs: DEFAULT_LEASE_MS };
  if (!/^\d+$/.test(line.value)) return undefined;
  return { path, line: line.number, leaseMs: Number(line.value) };
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
