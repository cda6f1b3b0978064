/**
 * The versions of Node that are tested: `testedNodeVersions` of package.json has the newest of each
 * line when it was last changed. Their binaries come from npm and are kept in node_modules/.cache.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** By line: `{ 26: '26.12.1', … }`. */
export const nodeVersions = JSON.parse(
  fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
).testedNodeVersions;

const FETCH_DEADLINE_MS = 180_000;

/** The path of the binary of a line, which is fetched when it is not there yet. Throws when it can't. */
export function nodeBinary(line) {
  const version = nodeVersions[line];
  if (version === undefined) throw new Error(`no version of Node ${line} is pinned`);
  if (process.versions.node === version) return process.execPath;
  const folder = path.join(root, 'node_modules', '.cache', 'node-versions', version);
  const binary = path.join(folder, 'bin', 'node');
  if (!fs.existsSync(binary)) fetchNode(version, folder);
  return binary;
}

/** Unpacks beside the place and renames, so that what is there is whole. */
function fetchNode(version, folder) {
  const spec = `node-${process.platform}-${os.arch()}@${version}`;
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  const work = fs.mkdtempSync(`${folder}-`);
  const run = (file, args) =>
    execFileSync(file, args, { cwd: work, encoding: 'utf8', timeout: FETCH_DEADLINE_MS });
  try {
    const archive = run('npm', ['pack', '--loglevel=error', spec]).trim().split('\n').at(-1);
    run('tar', ['-xzf', archive]);
    fs.rmSync(path.join(work, archive));
    fs.renameSync(path.join(work, 'package'), folder);
  } catch (error) {
    const reason = `${error.message}\n${error.stderr ?? ''}`.trim();
    throw new Error(`cannot fetch ${spec} from the npm registry: ${reason}`, { cause: error });
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}
