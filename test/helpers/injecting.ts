/**
 * The injecting library from a test's side: rules as typed values, a control file that changes them
 * while the engine runs, and the counters of what reached the engine. What rules mean is in
 * test/fixtures/injecting/README.md.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { untilIdle } from './metrics.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The library's age limit for its rules is 1 ms: twice that, and every later call obeys new ones. */
const obeyedAfterMs = 2;

export type EngineFunction =
  | 'init'
  | 'uninit'
  | 'set_log_level'
  | 'register_buffer'
  | 'unregister_buffer'
  | 'local_service_id'
  | 'put'
  | 'get'
  | 'query'
  | 'exist'
  | 'remove'
  | 'batch_put'
  | 'batch_get'
  | 'batch_query'
  | 'batch_exist'
  | 'batch_remove';

/** The calls that name keys. */
export const dataFunctions = [
  'put',
  'get',
  'query',
  'exist',
  'remove',
  'batch_put',
  'batch_get',
  'batch_query',
  'batch_exist',
  'batch_remove',
] as const satisfies readonly EngineFunction[];

/** The calls that a client makes before it is open: the probe's three, and four that find a layout. */
export const selfTestCalls = 7;

/** What happens, and to which calls; at most one of code, itemCode, noCopy, and of nth … every. */
export interface Rule {
  readonly on: EngineFunction | '*' | readonly EngineFunction[];
  readonly delayOutsideUs?: number;
  readonly delayInsideUs?: number;
  readonly perKeyUs?: number;
  readonly delayAfterUs?: number;
  readonly code?: number;
  readonly itemCode?: number;
  readonly noCopy?: true;
  readonly wrongData?: true;
  readonly hang?: true;
  readonly hangAfter?: true;
  readonly crash?: true;
  readonly crashAfter?: true;
  readonly noise?: number;
  readonly noiseText?: string;
  readonly abortAtExit?: true;
  readonly prefix?: string;
  readonly nth?: number;
  readonly first?: number;
  readonly after?: number;
  readonly every?: number;
}

/** What a pool answers that let a client in but can hold nothing for it (engine.md §1). */
export const unusablePool: readonly Rule[] = [
  { on: ['put', 'get', 'batch_put', 'batch_get'], code: -2 },
];

/** One rule as a line of the control file. */
export function ruleLine(rule: Rule): string {
  const { on, ...options } = rule;
  const words = [typeof on === 'string' ? on : on.join(',')];
  for (const [name, value] of Object.entries(options)) {
    const option = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (value === true) words.push(option);
    else words.push(`${option}=${typeof value === 'string' ? encodeText(value) : value}`);
  }
  return words.join(' ');
}

function encodeText(text: string): string {
  return encodeURIComponent(text).replace(/'/g, '%27');
}

export interface FunctionCounters {
  readonly started: number;
  readonly returned: number;
  /** Keys named by the calls: one for a single call, all of a batch's. */
  readonly keys: number;
  /** The most calls that one process had under way at once. */
  readonly mostInFlight: number;
}

const emptyCounters: FunctionCounters = { started: 0, returned: 0, keys: 0, mostInFlight: 0 };

/** The counters file as it stands; `*` is all functions together. Empty before the first load. */
export function readCounters(file: string): (name: EngineFunction | '*') => FunctionCounters {
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  const found = new Map<string, FunctionCounters>();
  const complete = bytes.toString('latin1', 0, 8) === 'MCGCOUNT'; // written last
  const records = complete ? bytes.readUInt32LE(8) : 0;
  for (let i = 0; i < records; i++) {
    const at = 64 + i * bytes.readUInt32LE(12);
    const name = bytes.toString('latin1', at, bytes.indexOf(0, at));
    const value = (field: number) => Number(bytes.readBigUInt64LE(at + 24 + 8 * field));
    found.set(name, {
      started: value(0),
      returned: value(1),
      keys: value(2),
      mostInFlight: value(3),
    });
  }
  return (name) => found.get(name) ?? emptyCounters;
}

export interface Injection {
  /** For the process that loads the library: its control file, its counters, and that it needs no other file. */
  readonly env: Readonly<
    Record<'MMC_INJECT_FILE' | 'MMC_INJECT_COUNTERS' | 'MMC_LOCAL_CONFIG_PATH', string>
  >;
  /** Replaces the rules. Every call that starts after this resolves obeys them. */
  set(rules: readonly Rule[]): Promise<void>;
  /** No rules; what hangs goes on. */
  clear(): Promise<void>;
  counters(name: EngineFunction | '*'): FunctionCounters;
  /** Removes the files. A process that still runs sees no rules then. */
  dispose(): void;
}

/** Does `work` under rules; afterwards they are cleared, and every block of the gateway is free. */
export async function underRules(
  injection: Injection,
  url: string,
  rules: readonly Rule[],
  work: () => Promise<unknown>,
): Promise<void> {
  await injection.set(rules);
  try {
    await work();
  } finally {
    await injection.clear();
  }
  await untilIdle(url);
}

export function createInjection(rules: readonly Rule[] = []): Injection {
  const folder = mkdtempSync(path.join(tmpdir(), 'mcg-inject-'));
  const file = path.join(folder, 'rules');
  const countersFile = path.join(folder, 'counters');
  const write = (next: readonly Rule[]) => {
    writeFileSync(`${file}.next`, next.map((rule) => `${ruleLine(rule)}\n`).join(''));
    renameSync(`${file}.next`, file);
  };
  const set = async (next: readonly Rule[]) => {
    write(next);
    const from = performance.now();
    while (performance.now() - from < obeyedAfterMs) await elapse(1);
  };
  write(rules);
  return {
    env: {
      MMC_INJECT_FILE: file,
      MMC_INJECT_COUNTERS: countersFile,
      MMC_LOCAL_CONFIG_PATH: 'none',
    },
    set,
    clear: () => set([]),
    counters: (name) => readCounters(countersFile)(name),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

let built: Promise<string> | undefined;

/** The library's path, built first if it is stale (with the embedded engine that stands behind it). */
export function injectingLibrary(): Promise<string> {
  built ??= promisify(execFile)(process.execPath, [
    path.join(root, 'scripts/build-engine.mjs'),
    '--fixtures',
  ]).then(() => path.join(root, 'build/native/libmcg_injecting.so'));
  return built;
}
