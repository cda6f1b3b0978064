/** Versions of tools that come from npm and are kept in a folder of node_modules/.cache. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** Limit for download and unpacking of one version, in milliseconds. */
export const FETCH_DEADLINE_MS = 180_000;

/** Codes in the messages of npm when there is no connection to the registry. */
const unreachable =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b/;

/**
 * Puts a package of npm into `folder` unless `file`, which is in it, exists. `unpack(work, run)` downloads
 * it below the folder `work` and returns where. Blocks for at most `deadlineMs`. Throws if that fails; the
 * message says what to do, and `isUnreachable` whether the registry is the cause.
 *
 * It unpacks to another folder and renames that at the end. So an interrupted download leaves nothing
 * behind, and a version that does not run is not kept.
 */
export function fetchVersion({ spec, folder, file, deadlineMs = FETCH_DEADLINE_MS }, unpack) {
  if (fs.existsSync(file)) return;
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  removeAbandoned(folder);
  const work = fs.mkdtempSync(`${folder}-`);
  const endMs = Date.now() + deadlineMs;
  const run = (command, args) => {
    const timeout = Math.max(1, endMs - Date.now());
    const options = { cwd: work, encoding: 'utf8', stdio: 'pipe', timeout, killSignal: 'SIGKILL' };
    return execFileSync(command, args, options);
  };
  try {
    moveInto(unpack(work, run), folder, file);
  } catch (error) {
    const isLate = error.code === 'ETIMEDOUT';
    const reason = isLate
      ? `it took longer than ${Math.round(deadlineMs / 1000)} s`
      : `${error.message}\n${error.stderr ?? ''}`.trim();
    const fault = new Error(
      `cannot fetch ${spec} from the npm registry: ${reason}\nCheck that the registry can be reached (npm view ${spec} version) and run this again, or put the file at ${file}.`,
      { cause: error },
    );
    fault.isUnreachable = isLate || unreachable.test(error.stderr ?? '');
    throw fault;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Installs packages below the folder `work`, without their install scripts; returns the folder. `options` are
 * further options of npm.
 */
export function installPackages(work, run, specs, options = []) {
  const unpacked = path.join(work, 'package');
  fs.mkdirSync(unpacked);
  // So that npm installs here and in no folder above.
  fs.writeFileSync(path.join(unpacked, 'package.json'), '{ "private": true }');
  const quiet = ['--ignore-scripts', '--no-save', '--loglevel=error', '--fetch-retries=1'];
  run('npm', ['install', '--prefix', unpacked, ...quiet, ...options, ...specs]);
  return unpacked;
}

/** Another process may have downloaded the same version; a folder without the file is replaced. */
function moveInto(unpacked, folder, file) {
  try {
    fs.renameSync(unpacked, folder);
  } catch {
    if (fs.existsSync(file)) return;
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
