/**
 * The tested versions of Node: `testedNodeVersions` in package.json has one version for each line. Their
 * binaries come from npm and are kept in node_modules/.cache.
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

/** Limit for download and unpacking of one version, in milliseconds. */
export const FETCH_DEADLINE_MS = 180_000;

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
  if (!fs.existsSync(binary)) fetchNode(version, folder, binary, deadlineMs);
  return binary;
}

/**
 * Unpacks to another folder, runs the binary once, and then renames the folder. So an interrupted
 * download leaves nothing behind, and a binary that does not run is not kept.
 */
function fetchNode(version, folder, binary, deadlineMs) {
  const spec = `node-${process.platform}-${os.arch()}@${version}`;
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  removeAbandoned(folder);
  const work = fs.mkdtempSync(`${folder}-`);
  const endMs = Date.now() + deadlineMs;
  const run = (file, args) => {
    const timeout = Math.max(1, endMs - Date.now());
    const options = { cwd: work, encoding: 'utf8', stdio: 'pipe', timeout, killSignal: 'SIGKILL' };
    return execFileSync(file, args, options);
  };
  try {
    const archive = run('npm', ['pack', '--loglevel=error', spec]).trim().split('\n').at(-1);
    run('tar', ['-xzf', archive]);
    const unpacked = path.join(work, 'package');
    const found = run(path.join(unpacked, 'bin', 'node'), ['--version']).trim();
    if (found !== `v${version}`) throw new Error(`the binary says that it is ${found}`);
    moveInto(unpacked, folder, binary);
  } catch (error) {
    const reason =
      error.code === 'ETIMEDOUT'
        ? `it took longer than ${Math.round(deadlineMs / 1000)} s`
        : `${error.message}\n${error.stderr ?? ''}`.trim();
    throw new Error(
      `cannot fetch ${spec} from the npm registry: ${reason}\nCheck that the registry can be reached (npm view ${spec} version) and run this again, or put the binary at ${binary}.`,
      { cause: error },
    );
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Another process may have downloaded the same version; a folder without a binary is replaced. */
function moveInto(unpacked, folder, binary) {
  try {
    fs.renameSync(unpacked, folder);
  } catch {
    if (fs.existsSync(binary)) return;
    fs.rmSync(folder, { recursive: true, force: true });
    fs.renameSync(unpacked, folder);
  }
}

/** Removes the partial downloads of killed processes. */
function removeAbandoned(folder) {
  const parent = path.dirname(folder);
  for (const name of fs.readdirSync(parent)) {
    const other = path.join(parent, name);
    if (!other.startsWith(`${folder}-`)) continue;
    const ageMs = Date.now() - (fs.statSync(other, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (ageMs > 2 * FETCH_DEADLINE_MS) fs.rmSync(other, { recursive: true, force: true });
  }
}
