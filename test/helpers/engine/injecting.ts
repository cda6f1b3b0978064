/**
 * The injecting library from a test's side: rules as typed values, a control file that changes them
 * while the engine runs, and the counters of calls that reached the engine.
 * test/fixtures/injecting/README.md defines the rules.
 */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildEngine } from '../../../scripts/build-engine.mjs';
import { untilIdle } from '../process/metrics.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The library's age limit for its rules is 1 ms: after twice that, every later call obeys new ones. */
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

/** The calls that a client makes before it is open: three of the probe, and four that detect a layout. */
export const selfTestCalls = 7;

/** A fault and the calls that it affects; at most one of code, itemCode, noCopy, and of nth … every. */
export interface Rule {
  readonly on: EngineFunction | '*' | readonly EngineFunction[];
  readonly delayOutsideUs?: number;
  readonly delayInsideUs?: number;
  readonly perKeyUs?: number;
  readonly lanes?: number;
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

/**
 * The codes of a pool that accepted a client but can hold nothing for it (docs/engine-facts.md §3).
 */
export const unusablePool: readonly Rule[] = [
  { on: ['put', 'get', 'batch_put', 'batch_get'], code: -2 },
];

/** Returns a rule as a line of the control file. */
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
  /** The maximum number of calls that one process had in flight. */
  readonly maxInFlight: number;
}

const emptyCounters: FunctionCounters = { started: 0, returned: 0, keys: 0, maxInFlight: 0 };

/** Reads the counters file; `*` is all functions together. All counters are 0 before the first load. */
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
      maxInFlight: value(3),
    });
  }
  return (name) => found.get(name) ?? emptyCounters;
}

export interface Injection {
  /** Variables for the process that loads the library: control file, counters, and no local configuration. */
  readonly env: Readonly<
    Record<'MMC_INJECT_FILE' | 'MMC_INJECT_COUNTERS' | 'MMC_LOCAL_CONFIG_PATH', string>
  >;
  /** Replaces the rules. Every call that starts after this resolves obeys them. */
  set(rules: readonly Rule[]): Promise<void>;
  /** Removes all rules; hanging calls continue. */
  clear(): Promise<void>;
  counters(name: EngineFunction | '*'): FunctionCounters;
  /** Removes the files. A process that still runs sees no rules then. */
  dispose(): void;
}

/** Runs `work` under rules, then clears them and waits until every block of the gateway is free. */
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

/** Returns the library's path; first builds it and the embedded engine behind it if they are stale. */
export function injectingLibrary(): Promise<string> {
  built ??= buildEngine({ fixtures: true }).then(() =>
    path.join(root, 'build/native/libmcg_injecting.so'),
  );
  return built;
}
