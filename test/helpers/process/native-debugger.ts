/** Holds a process as a native debugger does, with the program of test/fixtures/tracing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const program = path.join(root, 'build/native/mcg-hold');
const NOT_PERMITTED = 77;

/** Returns the state of a process as the kernel names it (proc(5)), such as "T" or "t". */
export const stateOf = (pid: number): string | undefined =>
  /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

export interface HeldProcess {
  release(): Promise<void>;
}

/** Resolves once all threads of the process are held; undefined where the kernel does not permit it. */
export async function holdProcess(pid: number): Promise<HeldProcess | undefined> {
  const debuggerProcess = spawn(program, [String(pid)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(debuggerProcess, 'exit');
  const held = once(debuggerProcess.stdout, 'data');
  const first = await Promise.race([held.then(() => 'held'), ended]);
  if (first === 'held') return { release: () => release(debuggerProcess, ended) };
  if (debuggerProcess.exitCode === NOT_PERMITTED) return undefined;
  throw new Error(`mcg-hold ended with ${debuggerProcess.exitCode}`);
}

async function release(debuggerProcess: ChildProcess, ended: Promise<unknown>): Promise<void> {
  debuggerProcess.stdin?.end();
  await ended;
}
