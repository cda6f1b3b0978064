/** The settings in the files of deploy/, read as the gateway reads them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readDockerfile } from '../../../scripts/build/dockerfile.mjs';
import { type Config, interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { mebibyte } from '../../../src/config/kinds.ts';
import { root } from '../process/packed.ts';

/** The variables of the image. */
const imageEnvironment = readDockerfile(readFileSync(path.join(root, 'Dockerfile'), 'utf8')).at(
  -1,
)?.env;

export interface ContainerSettings {
  readonly values: Config;
  /** Those of the image and of the container. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Interprets what a container is started with. Fails with the faults of the gateway. */
export function settingsIn(
  env: readonly { readonly name: string; readonly value: string }[],
  args: readonly string[] = [],
): ContainerSettings {
  const own = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  const variables = { ...imageEnvironment, ...own };
  const interpreted = interpretConfig(parseCommandLine(args), variables);
  if ('faults' in interpreted) assert.fail(interpreted.faults.join('\n'));
  return { values: interpreted.config, variables };
}

/** The memory of a gateway and, with the embedded engine, of its pool, as docs/sizing.md counts it. */
export function memoryNeeded(config: Config): number {
  const { devices, engine, arenaBytes, maxHeapBytes, poolBytes } = config;
  const reserve = Math.min(arenaBytes / 16, 64 * mebibyte);
  const pool = engine === 'embedded' ? poolBytes : 0;
  return devices.length * (arenaBytes + reserve + maxHeapBytes + pool + 200 * mebibyte);
}
