/** The real program, as an operator starts it: a process with a port, output, signals and an exit. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isBuildFresh } from './programs.ts';
import { typeScriptOptions } from './typescript.ts';
import { until } from './until.ts';

export interface GatewayOptions {
  /** The program and its first arguments, for a start through another program. */
  readonly command?: readonly [string, ...string[]];
  /** Flags; `--port 0` precedes them unless they name an address. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExitReport {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GatewayProcess {
  readonly pid: number;
  readonly ended: Promise<ExitReport>;
  /** The output so far. */
  stdout(): string;
  stderr(): string;
  /** The JSON lines of stdout. */
  logged(): Record<string, unknown>[];
  /** The worker's process id, from the kernel; undefined while there is none. */
  workerPid(): number | undefined;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGTERM and waits. */
  stop(): Promise<ExitReport>;
  /** Sends SIGKILL to the supervisor and its worker, and waits; does nothing when they have ended. */
  kill(): Promise<void>;
}

export interface ReadyGateway extends GatewayProcess {
  /** `http://127.0.0.1:…`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** The members of the ready line. */
  readonly ready: Readonly<Record<string, unknown>>;
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** Small sizes, since a start prepares part of them: a fifth of its processor time. Flags override them. */
const smallEnvironment = { GATEWAY_POOL_BYTES: '64MiB', GATEWAY_ARENA_BYTES: '32MiB' };
/** The sizes that a user gets, for tests of what a page or an example says. */
export const defaultSizes = { GATEWAY_POOL_BYTES: '1GiB', GATEWAY_ARENA_BYTES: '1GiB' };
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The engine of a gateway that a test starts without `--engine`. */
export const defaultEngine = process.env['GATEWAY_ENGINE'] || 'embedded';

/** Returns the arguments that run the program: the build if it is up to date, otherwise the sources. */
export function gatewayCommand(): string[] {
  return isBuildFresh() ? ['dist/program/main.js'] : [...typeScriptOptions, 'src/main.ts'];
}

/** The Node under which the program runs; by default that of the tests. */
const nodeOfGateway = process.env['TEST_NODE'] ?? process.execPath;

/** Starts the program and does not wait. */
export function spawnGateway(options: GatewayOptions = {}): GatewayProcess {
  const { args = [] } = options;
  const named = args.includes('--listen') || args.includes('--port');
  const port = named ? [] : ['--port', '0'];
  return spawnProgram({ ...options, args: [...port, ...args] });
}

/** Like `spawnGateway`, with `args` only, for a command without a port. */
export function spawnProgram(options: GatewayOptions): GatewayProcess {
  const { command = [nodeOfGateway, ...gatewayCommand()], args = [], env = {} } = options;
  const [file, ...first] = command;
  const child = spawn(file, [...first, ...args], {
    cwd: root,
    env: { ...process.env, ...smallEnvironment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const ended = once(child, 'exit').then(([code, signal]): ExitReport => {
    running.delete(child);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    ended,
    stdout,
    stderr,
    logged: () => jsonLines(stdout()),
    workerPid: () => childrenOf(pid)[0],
    signal: (name) => void child.kill(name),
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
    async kill() {
      const workers = childrenOf(pid);
      child.kill('SIGKILL');
      for (const worker of workers) signalIfAlive(worker, 'SIGKILL');
      await ended;
      await until(() => workers.every((worker) => !isAlive(worker)));
    },
  };
}

/** Starts the program and waits until it serves. */
export async function startGateway(options: GatewayOptions = {}): Promise<ReadyGateway> {
  const gateway = spawnGateway(options);
  const ready = await awaitReady(gateway);
  const { address, port } = ready;
  if (typeof address !== 'string' || typeof port !== 'number') throw new Error('no address');
  return { ...gateway, url: address, port, ready };
}

async function awaitReady(gateway: GatewayProcess): Promise<Record<string, unknown>> {
  const find = () => gateway.logged().find((line) => line['msg'] === 'ready');
  let ended: ExitReport | undefined;
  void gateway.ended.then((ending) => {
    ended = ending;
  });
  await until(() => find() !== undefined || ended !== undefined, {
    deadlineMs: 30_000,
    what: 'the ready line',
  }).catch(async (error: unknown) => {
    await gateway.kill();
    throw new Error(`${String(error)}\n${gateway.stdout()}${gateway.stderr()}`);
  });
  const ready = find();
  if (ready === undefined) {
    const output = `${gateway.stdout()}${gateway.stderr()}`;
    throw new Error(`the gateway ended (${JSON.stringify(ended)}) before it was ready\n${output}`);
  }
  return ready;
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

/** Parses complete lines only; the last one may still be incomplete. */
function jsonLines(text: string): Record<string, unknown>[] {
  const lines = text.split('\n').slice(0, -1);
  return lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Returns the direct children, oldest first. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Returns the pool of the embedded engine in the environment of a worker. */
export function poolOf(worker: number | undefined): string {
  const variable = 'MMC_EMBEDDED_POOL=';
  const environment = readFileSync(`/proc/${worker}/environ`, 'utf8').split('\0');
  const found = environment.find((entry) => entry.startsWith(variable));
  if (found === undefined) throw new Error(`process ${worker} has no ${variable}`);
  return found.slice(variable.length);
}

export const poolExists = (pool: string): boolean => readdirSync('/dev/shm').includes(pool);

/** A zombie does not count as alive. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has ended by itself.
  }
}
