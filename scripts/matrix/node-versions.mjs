/**
 * The tested versions of Node: `testedNodeVersions` in package.json has one version for each line. Their
 * binaries come from npm and are kept in node_modules/.cache.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { FETCH_DEADLINE_MS, fetchVersion } from './version-cache.mjs';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');

/** By line: `{ 26: '26.12.1', … }`. */
export const nodeVersions = JSON.parse(
  fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
).testedNodeVersions;

/**
 * The path of the binary of a line. Downloads it if it is missing, which blocks for at most `deadlineMs`.
 * Throws if that fails; the message says what to do.
 */
export function nodeBinary(line, deadlineMs = FETCH_DEADLINE_MS) {
  const version = nodeVersions[line];
  if (version === undefined) throw new Error(`no version of Node ${line} is pinned`);
  if (process.versions.node === version) return process.execPath;
  const folder = path.join(root, 'node_modules', '.cache', 'node-versions', version);
  const binary = path.join(folder, 'bin', 'node');
  const spec = `node-${process.platform}-${os.arch()}@${version}`;
  fetchVersion({ spec, folder, file: binary, deadlineMs }, (work, run) => {
    const archive = run('npm', ['pack', '--loglevel=error', spec]).trim().split('\n').at(-1);
    run('tar', ['-xzf', archive]);
    const unpacked = path.join(work, 'package');
    const found = run(path.join(unpacked, 'bin', 'node'), ['--version']).trim();
    if (found !== `v${version}`) throw new Error(`the binary says that it is ${found}`);
    return unpacked;
  });
  return binary;
}
