/**
 * The library that the conformance suite tests: `ENGINE=/path npm run test:conformance`, by default
 * the embedded engine. Every test file is a process with its own client, on its own pool where the
 * library supports that.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { buildEngine } from '../../../scripts/build-engine.mjs';
import { embeddedLibraryPath } from '../../../src/native/start/built-libraries.ts';
import { type EngineCalls, openEngine } from './engine-calls.ts';
import { type EngineProcess, startEngine } from './engine-process.ts';

/** The bytes that each client of one of our own libraries contributes to its pool. */
const poolBytes = 64 * 2 ** 20;

const named = process.env['ENGINE'] || undefined;
if (named === undefined) await buildEngine();
const library = path.resolve(named ?? embeddedLibraryPath);

/** True for the embedded engine, alone or behind the injecting library: tests create its pools. */
export const isEmbedded = isOurs(library);

/**
 * Decides by the exported names, which it finds in the bytes of the file. It does not load the
 * library: the distributed engine then reads its configuration, and may need a libpython.
 */
function isOurs(file: string): boolean {
  if (!existsSync(file)) throw new Error(`ENGINE: there is no library ${file} to be judged`);
  const names = readFileSync(file);
  if (names.includes('mmc_embedded_nonblocking\0')) return true;
  if (!names.includes('mcg_injecting\0')) return false;
  const behind = process.env['MMC_INJECT_TARGET'] || undefined;
  return isOurs(behind ?? path.join(path.dirname(file), path.basename(embeddedLibraryPath)));
}

/** node:test's `skip`: false, or the reason. */
export type Skip = false | string;

const configured = process.env['MMC_LOCAL_CONFIG_PATH'] !== undefined;

/** For every suite: a distributed engine joins the pool that its configuration names. */
export const withEngine: Skip =
  isEmbedded || configured
    ? false
    : 'this engine needs MMC_LOCAL_CONFIG_PATH, and a running meta service';

/** For cases that fill the pool: it must be empty at the start, and small. */
export const withOwnPool: Skip = isEmbedded
  ? false
  : 'needs an empty pool to itself, which this engine cannot make';

/** For known faults of the distributed engine, which an embedded one must not have. */
export const harmful = (what: string): Skip =>
  isEmbedded ? false : `${what} (docs/engine-facts.md §4)`;

export const withoutNpu: Skip = existsSync('/dev/davinci_manager')
  ? 'this host has an NPU, so its memory is a medium like any other'
  : false;

/** For facts of docs/engine-facts.md that hold for the embedded engine only. */
export const embeddedOnly = (what: string): Skip => (isEmbedded ? false : what);

let pools = 0;

/** Environment of the clients of one new pool; a distributed engine ignores it. */
export function newPool(bytes = poolBytes): Readonly<Record<string, string>> {
  return {
    MMC_EMBEDDED_POOL: `mcg-${process.geteuid?.() ?? 0}-conformance-${process.pid}-${++pools}`,
    MMC_EMBEDDED_BYTES: String(bytes),
    // The rule of the distributed engine.
    MMC_EMBEDDED_EVICT: 'threshold',
  };
}

/** The client of this process, on a new pool; not yet initialised. */
export function openClient(pool = newPool()): EngineCalls {
  Object.assign(process.env, pool);
  return openEngine(library);
}

/** A client in its own process; not yet initialised. */
export function startClient(pool: Readonly<Record<string, string>>): Promise<EngineProcess> {
  return startEngine(library, pool);
}

/** A key that no other run has used. */
export const uniqueKey = (() => {
  const run = `conformance/${process.pid}/${Date.now().toString(36)}`;
  let count = 0;
  return (name: string) => `${run}/${++count}/${name}`;
})();
