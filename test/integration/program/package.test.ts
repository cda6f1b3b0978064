/** The package as another program uses it: packed, unpacked elsewhere, with its install script run. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { manifestOf, root, run, unpackInto } from '../../helpers/process/packed.ts';
import { runExamples } from '../../helpers/process/page-examples.ts';
import { addPrograms, compile } from '../../helpers/process/strict-programs.ts';

const project = mkdtempSync(path.join(tmpdir(), 'package-'));
after(() => rmSync(project, { recursive: true }));

describe('the package, installed elsewhere', () => {
  let installed: string;
  before(async () => {
    installed = await unpackInto(project, '');
    await run('npm', ['run', 'install'], { cwd: installed });
  });

  it('prints the output that docs/node-store.md shows', () =>
    runExamples(project, 'docs/node-store.md'));

  it('has types with which a strict program compiles', async () => {
    await unpackInto(project, 'packages/client');
    addPrograms(project);
    const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
    await compile(project, compiler, 'node', 'nodenext');
  });

  it('contains a command that runs', async () => {
    const command = path.join(installed, 'dist/program/main.js');
    const { stdout } = await run(command, ['--version'], { cwd: project });
    assert.equal(stdout.trim(), manifestOf(root).version);
    const checked = await run(command, ['--check-config'], { cwd: project });
    assert.match(checked.stdout, /^--engine +embedded/m, 'the engine was not built');
  });

  it('does not contain the client, which is a package of its own', async () => {
    const { stdout } = await run('tar', ['-tzf', path.join(project, tarball())]);
    assert.doesNotMatch(stdout, /^package\/(packages|dist\/client)\//m);
  });

  it('contains what it needs and nothing else', async () => {
    const { stdout } = await run('tar', ['-tzf', path.join(project, tarball())]);
    assert.match(stdout, /^package\/CHANGELOG\.md$/m);
    const others = stdout
      .split('\n')
      .filter((name) => /\.map$|\.stamp$|tsbuildinfo|\/test\/|\/bench\/|\.test\./.test(name));
    assert.deepEqual(others, []);
    const scripts = stdout.split('\n').filter((name) => name.startsWith('package/scripts/'));
    assert.equal(scripts.length, 4, String(scripts));
  });
});

const tarball = () => `memcache-gateway-${manifestOf(root).version}.tgz`;
