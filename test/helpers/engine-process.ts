/** Engines in processes of their own: to be killed, stopped, or a second service of a pool. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer } from '../fixtures/engine-process.ts';
import type { EngineCalls } from './engine-calls.ts';

const program = fileURLToPath(new URL('../fixtures/engine-process.ts', import.meta.url));

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface EngineProcess {
  readonly pid: number;
  /** Calls reject when the process ends first. */
  readonly engine: EngineCalls;
  readonly ended: Promise<Ending>;
  /** What it has written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Calls `process.exit(0)` there. */
  exit(): Promise<Ending>;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL, and waits; harmless when it has ended already. */
  kill(): Promise<Ending>;
}

/** Starts a process that has loaded `library` and initialised nothing. */
export async function startEngine(
  library: string,
  env: Readonly<Record<string, string>> = {},
): Promise<EngineProcess> {
  const child = fork(program, [library], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '20', ...env },
    execArgv: ['--import', 'tsx'],
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const stdout = collect(child, 'stdout');
  const stderr = collect(child, 'stderr');
  const ended = new Promise<Ending>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const calls = createCalls(child, () => stderr());
  const kill = () => {
    child.kill('SIGKILL');
    return ended;
  };
  await calls.ready;
  return {
    pid: child.pid ?? 0,
    engine: calls.engine,
    ended,
    stdout,
    stderr,
    exit() {
      child.send({ id: -1, method: 'exit', args: [] });
      return ended;
    },
    signal: (name) => child.kill(name),
    kill,
  };
}

function collect(child: ChildProcess, name: 'stdout' | 'stderr'): () => string {
  let text = '';
  child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

function createCalls(child: ChildProcess, diagnosis: () => string) {
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  const answerTo = (id: number) =>
    new Promise<unknown>((resolve, reject) => {
      waiting.set(id, (answer) => {
        waiting.delete(id);
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer.value);
      });
    });
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer));
  child.on('close', (code, signal) => {
    const error = `the engine's process ended: ${signal ?? code} ${diagnosis()}`;
    for (const [id, settle] of waiting) settle({ id, error });
  });
  const ready = answerTo(0);
  const ask = async (method: string | symbol, args: readonly unknown[]) => {
    const id = ++last;
    const answer = answerTo(id);
    child.send({ id, method, args }, (error) => {
      if (error !== null) waiting.get(id)?.({ id, error: error.message });
    });
    return answer;
  };
  const engine = new Proxy({} as EngineCalls, {
    // `then` would make it look like a promise.
    get: (_, method) =>
      method === 'then' ? undefined : (...args: readonly unknown[]) => ask(method, args),
  });
  return { ready, engine };
}
