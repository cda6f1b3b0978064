/** The package as another program uses it: packed, unpacked elsewhere, with its install script run. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { startGateway } from '../../helpers/process/gateway.ts';
import { manifestOf, root, run, unpackInto } from '../../helpers/process/packed.ts';
import { addPrograms, compile } from '../../helpers/process/strict-programs.ts';

const project = mkdtempSync(path.join(tmpdir(), 'package-'));
after(() => rmSync(project, { recursive: true }));

describe('the package, installed elsewhere', () => {
  let installed: string;
  before(async () => {
    installed = await unpackInto(project, '');
    await run('npm', ['run', 'install'], { cwd: installed });
  });

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

  it('serves /docs with the files of Swagger UI that the package contains', async () => {
    const command = path.join(installed, 'dist/program/main.js');
    const gateway = await startGateway({ command: [process.execPath, command] });
    try {
      const page = await (await fetch(`${gateway.url}/docs`)).text();
      const files = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file]) => file ?? '');
      assert.ok(files.includes('/docs/swagger-ui-bundle.js'), String(files));
      for (const file of files) {
        const response = await fetch(gateway.url + file);
        assert.equal(response.status, 200, file);
        assert.ok((await response.arrayBuffer()).byteLength > 100, file);
      }
    } finally {
      await gateway.kill();
    }
  });

  it('says what is missing when it has not been installed whole', async () => {
    const pino = path.join(project, 'node_modules/pino');
    renameSync(pino, `${pino}-elsewhere`);
    try {
      const command = path.join(installed, 'dist/program/main.js');
      const socket = path.join(project, 'gateway.sock');
      await assert.rejects(run(command, ['--listen', `unix:${socket}`], { cwd: project }), {
        code: 1,
        stderr: /the log cannot be opened: .*pino/,
      });
      assert.equal(existsSync(socket), false, 'the socket file remains');
    } finally {
      renameSync(`${pino}-elsewhere`, pino);
    }
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
