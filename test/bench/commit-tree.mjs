// Builds another commit of this repository in its own folder, and keeps it for the next run.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tree = fileURLToPath(new URL('../..', import.meta.url));

/** The commit does not exist, or cannot be built. */
export class CommitTreeError extends Error {
  name = 'CommitTreeError';
}

/**
 * Checks a commit out below `root` and builds its engine and its dist, unless a previous run did so.
 * Returns its full hash and its folder. @throws CommitTreeError
 */
export function buildCommit(commit, root = tree) {
  const hash = findCommit(commit, root);
  const folder = join(root, 'node_modules/.cache/bench-against', hash);
  // Written last: a folder without it was interrupted, and is built again.
  const stamp = join(folder, '.bench-stamp');
  if (!existsSync(stamp)) {
    checkOut(hash, folder, root);
    addPackages(folder, root);
    build(folder);
    writeFileSync(stamp, '');
  }
  return { hash, folder };
}

const lockOf = (folder) => readFileSync(join(folder, 'package-lock.json'), 'utf8');

function findCommit(commit, root) {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}^{commit}`];
  const options = { cwd: root, env: ownEnvironment(), encoding: 'utf8' };
  const { status, stdout, error } = spawnSync('git', args, options);
  if (error !== undefined) throw new CommitTreeError(`git cannot be started: ${error.message}`);
  if (status !== 0) {
    throw new CommitTreeError(
      `--against: "${commit}" is not a commit of this repository; see git log`,
    );
  }
  return stdout.trim();
}

function checkOut(hash, folder, root) {
  rmSync(folder, { recursive: true, force: true });
  // --force is given twice: git still knows a folder that was removed by hand, perhaps as locked.
  const args = ['worktree', 'add', '--force', '--force', '--quiet', '--detach', folder, hash];
  run('git', args, root, `cannot check out ${hash}`);
}

/**
 * Copies the node_modules of `root` as hard links when both need the same packages; otherwise installs.
 * One symbolic link to all of them is not sufficient: a worker on Node 20 then gets a
 * swagger-ui-express without its functions, and the pages of the gateway fail.
 */
function addPackages(folder, root) {
  const packages = join(folder, 'node_modules');
  if (lockOf(folder) === lockOf(root)) {
    const from = join(root, 'node_modules');
    // The cache contains this folder.
    const names = readdirSync(from).filter((name) => name !== '.cache');
    mkdirSync(packages);
    const args = ['--archive', '--link', '--', ...names, packages];
    run('cp', args, from, 'its packages cannot be linked');
    return;
  }
  process.stdout.write('its package-lock.json differs: installing its packages\n');
  run('npm', ['ci', '--no-audit', '--no-fund'], folder, 'npm ci fails there');
}

function build(folder) {
  const engine = ['scripts/build-engine.mjs', '--fixtures'];
  run(process.execPath, engine, folder, 'its engine does not build');
  run(process.execPath, ['scripts/build.mjs'], folder, 'its sources do not compile');
}

/** A git hook that starts this sets GIT_DIR to its own repository: git must use the given folder instead. */
const ownEnvironment = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));

/** Runs a program to its end; shows its output only when it fails. */
function run(program, args, cwd, failure) {
  const options = { cwd, env: ownEnvironment(), encoding: 'utf8' };
  const { status, stdout, stderr, error } = spawnSync(program, args, options);
  if (status === 0) return;
  const output = error?.message ?? `${stdout}${stderr}`.trim();
  throw new CommitTreeError(`--against: ${failure} (${cwd}): ${output}`);
}
