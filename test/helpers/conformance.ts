/**
 * The library that the conformance suite judges: `ENGINE=/path npm run test:conformance`, by default
 * the embedded engine. Every test file is a process with a client of its own, on a pool of its own
 * where the library can have one.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { embeddedLibraryPath } from '../../src/native/built-libraries.ts';
import { type EngineCalls, openEngine } from './engine-calls.ts';
import { type EngineProcess, startEngine } from './engine-process.ts';

const builder = fileURLToPath(new URL('../../scripts/build-engine.mjs', import.meta.url));

/** What each client of one of our own libraries contributes to its pool. */
export const poolBytes = 64 * 2 ** 20;

const named = process.env['ENGINE'] || undefined;
if (named === undefined) execFileSync(process.execPath, [builder]);
const library = path.resolve(named ?? embeddedLibraryPath);

/** Ours: the embedded engine, alone or behind the injecting library, with pools made to order. */
export const isEmbedded = isOurs(library);

/**
 * By what it exports, whatever it is called. The names stand in the file: to load it would be too
 * much, since the distributed engine reads its configuration then, and may need a libpython.
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
  : 'needs an empty pool of 64 MiB to itself, which this engine cannot make';

/** For what the distributed engine is known to do badly, and an embedded one must do well. */
export const harmful = (what: string): Skip => (isEmbedded ? false : `${what} (engine.md §2)`);

export const withoutNpu: Skip = existsSync('/dev/davinci_manager')
  ? 'this host has an NPU, so its memory is a medium like any other'
  : false;

/** For what engine.md says of the one but not of the other. */
export const embeddedOnly = (what: string): Skip => (isEmbedded ? false : what);

let pools = 0;

/** Environment of the clients of one new pool; a distributed engine ignores it. */
export function newPool(bytes = poolBytes): Readonly<Record<string, string>> {
  return {
    MMC_EMBEDDED_POOL: `mcg-${process.geteuid?.() ?? 0}-conformance-${process.pid}-${++pools}`,
    MMC_EMBEDDED_BYTES: String(bytes),
  };
}

/** The client of this process, on a new pool; not yet initialised. */
export function openClient(pool = newPool()): EngineCalls {
  Object.assign(process.env, pool);
  return openEngine(library);
}

/** A client in a process of its own; not yet initialised. */
export function startClient(pool: Readonly<Record<string, string>>): Promise<EngineProcess> {
  return startEngine(library, pool);
}

/** A key that no other run has used. */
export const uniqueKey = (() => {
  const run = `conformance/${process.pid}/${Date.now().toString(36)}`;
  let count = 0;
  return (name: string) => `${run}/${++count}/${name}`;
})();
