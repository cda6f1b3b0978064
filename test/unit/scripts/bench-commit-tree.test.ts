import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildCommit, CommitTreeError } from '../../bench/commit-tree.mjs';

const root = mkdtempSync(path.join(realpathSync(tmpdir()), 'mcg-commit-tree-'));
/** Without the variables of a git hook, which would name another repository. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')),
);
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], {
    ...{ cwd: root, env },
    encoding: 'utf8',
  }).trim();
const write = (name: string, text: string) => writeFileSync(path.join(root, name), text);

/** A build that appends a line to a file next to it. */
const build = "import { appendFileSync } from 'node:fs'; appendFileSync('built', 'x\\n');";

describe('a commit next to the working tree', () => {
  before(() => {
    git('init', '--quiet');
    for (const folder of ['scripts', 'node_modules/a-package']) {
      mkdirSync(path.join(root, folder), { recursive: true });
    }
    write('.gitignore', 'node_modules\nbuilt\n');
    write('package-lock.json', '{}');
    write('scripts/build-engine.mjs', build);
    write('scripts/build.mjs', build);
    git('add', '.');
    git('commit', '--quiet', '--message', 'works');
    git('tag', 'works');
    write('scripts/build.mjs', "throw new Error('does not compile');");
    git('commit', '--quiet', '--all', '--message', 'broken');
  });

  after(() => rmSync(root, { recursive: true }));

  it('is checked out and built once, with the packages of the tree', () => {
    const { hash, folder } = buildCommit('works', root);
    assert.equal(hash, git('rev-parse', 'works'));
    assert.equal(folder, path.join(root, 'node_modules/.cache/bench-against', hash));
    assert.deepEqual(readdirSync(path.join(folder, 'node_modules')), ['a-package']);
    assert.deepEqual(buildCommit(hash.slice(0, 10), root), { hash, folder });
    assert.equal(readFileSync(path.join(folder, 'built'), 'utf8'), 'x\nx\n');
  });

  it('is created again after its folder was removed by hand', () => {
    const { folder } = buildCommit('works', root);
    rmSync(folder, { recursive: true });
    buildCommit('works', root);
    assert.ok(existsSync(path.join(folder, 'built')));
  });

  it('that does not exist is refused by its name', () => {
    for (const name of ['never', '--all', 'works:package-lock.json']) {
      assert.throws(() => buildCommit(name, root), {
        name: 'CommitTreeError',
        message: `--against: "${name}" is not a commit of this repository; see git log`,
      });
    }
  });

  it('that does not build is refused with the output, each time', () => {
    for (let time = 0; time < 2; time++) {
      assert.throws(
        () => buildCommit('HEAD', root),
        (error) =>
          error instanceof CommitTreeError && /not compile .*does not compile/s.test(error.message),
      );
    }
  });
});
