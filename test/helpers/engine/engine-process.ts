/** Engines in their own processes, for tests that kill or stop them, or need a second service of a pool. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Answer } from '../../fixtures/engine-process.ts';
import { testProgram } from '../process/programs.ts';
import type { EngineCalls } from './engine-calls.ts';

export interface ExitReport {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface EngineProcess {
  readonly pid: number;
  /** Calls reject when the process ends first. */
  readonly engine: EngineCalls;
  readonly ended: Promise<ExitReport>;
  /** The output so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Calls `process.exit(0)` there. */
  exit(): Promise<ExitReport>;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGKILL and waits; does nothing when the process has ended already. */
  kill(): Promise<ExitReport>;
}

/** Starts a process that loads `library` and initialises nothing. */
export async function startEngine(
  library: string,
  env: Readonly<Record<string, string>> = {},
): Promise<EngineProcess> {
  const { file, execArgv } = testProgram('engine-process.ts');
  const child = fork(file, [library], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '20', ...env },
    execArgv,
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const stdout = collect(child, 'stdout');
  const stderr = collect(child, 'stderr');
  const ended = new Promise<ExitReport>((resolve) => {
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
    // A `then` would make the engine look like a promise.
    get: (_, method) =>
      method === 'then' ? undefined : (...args: readonly unknown[]) => ask(method, args),
  });
  return { ready, engine };
}
