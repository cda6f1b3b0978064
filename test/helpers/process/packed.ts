/** The packages of this repository as other programs get them: packed. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest;

/** Packs the package in a folder of the repository; resolves with the tarball. */
export async function pack(folder: string, into: string): Promise<string> {
  const cwd = path.join(root, folder);
  await run('npm', ['pack', '--pack-destination', into], { cwd });
  const { name, version } = manifestOf(cwd);
  return path.join(into, `${name}-${version}.tgz`);
}

/** Packs a package and unpacks it in `project`, with links to the dependencies of this repository. */
export async function unpackInto(project: string, folder: string): Promise<string> {
  const tarball = await pack(folder, project);
  const { name, dependencies = {} } = manifestOf(path.join(root, folder));
  const installed = path.join(project, 'node_modules', name);
  mkdirSync(installed, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  for (const dependency of Object.keys(dependencies)) link(project, dependency);
  return installed;
}

/** Links a dependency from this repository, for tests that do not concern the registry. */
export function link(project: string, name: string): void {
  const target = path.join(project, 'node_modules', name);
  mkdirSync(path.dirname(target), { recursive: true });
  symlinkSync(path.join(root, 'node_modules', name), target);
}
