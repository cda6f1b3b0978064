/**
 * The versions of TypeScript with which the types of the packages are tested: `testedTypeScriptVersions`
 * in package.json has the last one of each line. The compilers come from npm and are kept in
 * node_modules/.cache.
 */
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { fetchVersion, installPackages } from './version-cache.mjs';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');

/** From the oldest to the newest. */
export const typeScriptVersions = JSON.parse(
  fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
).testedTypeScriptVersions;

/**
 * The path of the compiler of a version. Downloads it if it is missing. Throws if that fails; the error
 * has `isUnreachable` if the registry cannot be reached.
 */
export function typeScriptCompiler(version) {
  const folder = path.join(root, 'node_modules', '.cache', 'typescript-versions', version);
  const compiler = path.join(folder, 'node_modules', 'typescript', 'bin', 'tsc');
  const spec = `typescript@${version}`;
  fetchVersion({ spec, folder, file: compiler }, (work, run) => {
    const unpacked = installPackages(work, run, [spec]);
    const tsc = path.relative(folder, compiler);
    const found = run(process.execPath, [path.join(unpacked, tsc), '--version']).trim();
    if (found !== `Version ${version}`) throw new Error(`the compiler says that it is ${found}`);
    return unpacked;
  });
  return compiler;
}
