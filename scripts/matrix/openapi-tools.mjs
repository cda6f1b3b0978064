/**
 * The generators of clients that are tested with openapi.yaml, and a linter: `testedOpenApiTools` in
 * package.json has their versions, the newest that run on Node 20. They come from npm and are kept in
 * node_modules/.cache, because they have more than 100 MB with their dependencies. openapi-typescript and
 * another linter are dependencies for development.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchVersion, installPackages } from './version-cache.mjs';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');

export const openApiTools = JSON.parse(
  fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
).testedOpenApiTools;

/** The day whose versions of their dependencies are installed, so that later releases change no test. */
const day = '2026-11-29';

/**
 * The folder `node_modules` with the tools. Downloads them if they are missing. Throws if that fails;
 * the error has `isUnreachable` if the registry cannot be reached.
 */
export function openApiToolsFolder() {
  const specs = Object.entries(openApiTools).map(([name, version]) => `${name}@${version}`);
  const digest = createHash('sha256')
    .update([day, ...specs].join('\n'))
    .digest('hex');
  const folder = path.join(root, 'node_modules', '.cache', 'openapi-tools', digest.slice(0, 16));
  const modules = path.join(folder, 'node_modules');
  const file = path.join(modules, 'orval', 'package.json');
  fetchVersion({ spec: specs.join(' '), folder, file }, (work, run) => {
    // Without the TypeScript that they expect; they find that of this repository.
    const options = ['--legacy-peer-deps', `--before=${day}`];
    const unpacked = installPackages(work, run, specs, options);
    for (const [name, version] of Object.entries(openApiTools)) {
      const manifest = path.join(unpacked, 'node_modules', name, 'package.json');
      const found = JSON.parse(fs.readFileSync(manifest, 'utf8')).version;
      if (found !== version) throw new Error(`${name} says that it is ${found}`);
    }
    return unpacked;
  });
  return modules;
}
