/**
 * The library that the conformance suite judges: `ENGINE=/path npm run test:conformance`, by default
 * the embedded engine. Every test file is a process with a client of its own, on a pool of its own
 * where the library can have one.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { embeddedLibraryPath } from '../../src/native/built-libraries.ts';
import { type EngineCalls, openEngine } from './engine-calls.ts';
import { type EngineProcess, startEngine } from './engine-process.ts';

const builder = fileURLToPath(new URL('../../scripts/build-engine.mjs', import.meta.url));

/** What each client of one of our own libraries contributes to its pool. */
export const poolBytes = 64 * 2 ** 20;

const library = path.resolve(process.env['ENGINE'] ?? embeddedLibraryPath);

/** Ours: the embedded engine, alone or behind the injecting library, with pools made to order. */
const ours = path.basename(library).startsWith('libmcg_');

/** node:test's `skip`: false, or the reason. */
export type Skip = false | string;

const configured = process.env['MMC_LOCAL_CONFIG_PATH'] !== undefined;

/** For every suite: a distributed engine joins the pool that its configuration names. */
export const withEngine: Skip =
  ours || configured
    ? false
    : 'this engine needs MMC_LOCAL_CONFIG_PATH, and a running meta service';

/** For cases that fill the pool: it must be empty at the start, and small. */
export const withOwnPool: Skip = ours
  ? false
  : 'needs an empty pool of 64 MiB to itself, which this engine cannot make';

/** For what the distributed engine is known to do badly, and an embedded one must do well. */
export const harmful = (what: string): Skip => (ours ? false : `${what} (engine.md §2)`);

export const withoutNpu: Skip = existsSync('/dev/davinci_manager')
  ? 'this host has an NPU, so its memory is a medium like any other'
  : false;

/** For what engine.md says of the one but not of the other. */
export const embeddedOnly = (what: string): Skip => (ours ? false : what);

let pools = 0;

/** Environment of the clients of one new pool; a distributed engine ignores it. */
export function newPool(bytes = poolBytes): Readonly<Record<string, string>> {
  return {
    MMC_EMBEDDED_POOL: `mcg-${process.geteuid?.() ?? 0}-conformance-${process.pid}-${++pools}`,
    MMC_EMBEDDED_BYTES: String(bytes),
  };
}

function build(): void {
  if (ours && process.env['ENGINE'] === undefined) {
    execFileSync(process.execPath, [builder]);
  }
}

/** The client of this process, on a new pool; not yet initialised. */
export function openClient(pool = newPool()): EngineCalls {
  build();
  Object.assign(process.env, pool);
  return openEngine(library);
}

/** A client in a process of its own; not yet initialised. */
export function startClient(pool: Readonly<Record<string, string>>): Promise<EngineProcess> {
  build();
  return startEngine(library, pool);
}

/** A key that no other run has used. */
export const uniqueKey = (() => {
  const run = `conformance/${process.pid}/${Date.now().toString(36)}`;
  let count = 0;
  return (name: string) => `${run}/${++count}/${name}`;
})();
