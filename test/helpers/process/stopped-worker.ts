/** Stops a worker inside the lock of a shard, with the engine of test/fixtures/stopping. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildEngine } from '../../../scripts/build-engine.mjs';
import { type OwnConnection, openOwnConnection } from '../http/own-connection.ts';
import { stateOf } from './native-debugger.ts';
import { until } from './until.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Returns the library's path; first builds it if it is stale. */
export async function stoppingLibrary(): Promise<string> {
  await buildEngine({ fixtures: true });
  return path.join(root, 'build/native/libmcg_stopping.so');
}

export interface Stops {
  /** Variables for the gateway that loads the library. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves once the process has stopped itself inside the first lock that it takes for `work`. */
  stop(pid: number, work: () => void): Promise<void>;
  dispose(): void;
}

export function createStops(): Stops {
  const folder = mkdtempSync(path.join(tmpdir(), 'mcg-stop-'));
  const file = path.join(folder, 'stop');
  return {
    env: { MCG_STOP_FILE: file, MMC_LOCAL_CONFIG_PATH: 'none' },
    async stop(pid, work) {
      writeFileSync(`${file}.${pid}`, '');
      work();
      await until(() => isStopped(pid), { what: 'the worker stops' });
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const isStopped = (pid: number): boolean => stateOf(pid) === 'T';

/** Opens `count` connections to the worker of this device. */
export async function connectionsTo(
  url: string,
  device: number,
  count: number,
): Promise<OwnConnection[]> {
  const found: OwnConnection[] = [];
  while (found.length < count) {
    const connection = openOwnConnection(url);
    if ((await connection.device()) === device) found.push(connection);
    else connection.close();
  }
  return found;
}
