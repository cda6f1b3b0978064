/** Loads the engine's library in a process of its own, since code of a library may end its process. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/config.ts';

/** The first argument of the process that loads the library. */
const role = 'check-library';
const DEADLINE_MS = 60_000;
const MAX_REPORT_BYTES = 16_384;

/** Why the gateway cannot load its engine, or undefined. `program` is the URL of the program's entry. */
export async function libraryFault(
  { engine, enginePreload }: Pick<Config, 'engine' | 'enginePreload'>,
  program: string,
): Promise<string | undefined> {
  const preload = enginePreload === undefined ? [] : [enginePreload];
  const child = fork(fileURLToPath(program), [role, engine, ...preload], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  const messages: unknown[] = [];
  child.on('message', (message) => void messages.push(message));
  let report = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    report = (report + text).slice(0, MAX_REPORT_BYTES);
  });
  // Processes that the library has started may keep the pipes and the channel open, so this does not wait for their end.
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  await nextTurn();
  child.stderr?.destroy();
  if (child.connected) child.disconnect();
  if (messages.length > 0) return undefined;
  if (code === 1 && report !== '') return report.trimEnd();
  const end = signal === null ? `exits with ${code}` : `is ended by ${signal}`;
  return `a process that loads ${engine} ${end}${report === '' ? '' : `: ${report.trimEnd()}`}`;
}

/** Runs in the process that `libraryFault` starts; returns its exit code. */
export async function checkLibrary([engine = '', preload]: readonly string[]): Promise<number> {
  const { loadEngineLibrary } = await import('../native/start/library.ts');
  try {
    loadEngineLibrary({ engine, preload });
    await new Promise((resolve) => process.send?.('loaded', resolve));
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
