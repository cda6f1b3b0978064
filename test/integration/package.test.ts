/** The package as another program has it: packed, unpacked elsewhere, its install script run. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startGateway } from '../helpers/gateway.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const project = mkdtempSync(path.join(tmpdir(), 'package-'));
const modules = path.join(project, 'node_modules');
const installed = path.join(modules, 'memcache-gateway');
after(() => rmSync(project, { recursive: true }));

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;

/** From the packages that are here already: what comes from a registry is not ours to test. */
function link(name: string): void {
  const target = path.join(modules, name);
  mkdirSync(path.dirname(target), { recursive: true });
  symlinkSync(path.join(root, 'node_modules', name), target);
}

describe('the package, installed elsewhere', () => {
  before(async () => {
    await run('npm', ['pack', '--pack-destination', project], { cwd: root });
    const tarball = path.join(project, `memcache-gateway-${manifest.version}.tgz`);
    mkdirSync(installed, { recursive: true });
    await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
    for (const name of Object.keys(manifest.dependencies)) link(name);
    await run('npm', ['run', 'install'], { cwd: installed });
  });

  it('does what docs/node-store.md shows', async () => {
    const page = readFileSync(path.join(root, 'docs/node-store.md'), 'utf8');
    const file = path.join(project, 'example.mjs');
    writeFileSync(file, /^```js\n(.*?)^```$/ms.exec(page)?.[1] ?? '');
    const { stdout } = await run(process.execPath, [file], { cwd: project });
    assert.match(stdout, /^21 true KeyInfo\(size=21, replicas=\[0:DRAM\]\)$/m);
    assert.match(stdout, /^-3006 MMC_DUPLICATED_OBJECT put$/m);
  });

  it('does what docs/client.md shows, on a gateway', async (t) => {
    const gateway = await startGateway();
    t.after(() => gateway.kill());
    const page = readFileSync(path.join(root, 'docs/client.md'), 'utf8');
    const file = path.join(project, 'client.mjs');
    const examples = [...page.matchAll(/^```js\n(.*?)^```\n\n```text\n(.*?)^```$/gms)];
    assert.equal(examples.length, page.match(/^```js$/gm)?.length, 'an example without its output');
    for (const [, example = '', expected] of examples) {
      writeFileSync(file, example.replace('http://127.0.0.1:8080', gateway.url));
      const { stdout } = await run(process.execPath, [file], { cwd: project });
      assert.equal(stdout, expected);
    }
  });

  it('has types that a strict program compiles with', async () => {
    link('@types/node');
    link('undici-types');
    const program = `import { type Block, DistributedObjectStore, KeyInfo } from 'memcache-gateway';
      const store: DistributedObjectStore = new DistributedObjectStore({ engine: 'embedded' });
      const info: KeyInfo = new KeyInfo({ valid: true, size: 1, replicas: [] });
      const block: Block | undefined = store.arena.tryAllocate(info.size());
      // @ts-expect-error: the size is a number
      store.arena.tryAllocate(String(block?.length));
      import { createClient, type KeyInfo as Info } from 'memcache-gateway/client';
      const told: Info = await createClient({ baseUrl: '' }).info('a');
      // @ts-expect-error: what became of it is one of three words
      (await createClient({ baseUrl: '' }).put('a', 'x')) === 'gone' || told;
      import { GatewayError } from 'memcache-gateway/client';
      for await (const item of createClient({ baseUrl: '' }).batch.getEach(['a'])) {
        if (item.problem) throw new GatewayError(item.problem);
        const bytes: Uint8Array = item.value;
        // @ts-expect-error: what did not fail has no problem
        bytes.length === item.problem.status;
      }`;
    writeFileSync(path.join(project, 'program.mts'), program);
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const flags = ['--noEmit', '--strict', '--module', 'NodeNext', '--target', 'ES2023'];
    // With the compiler's messages, which it writes to stdout, when it finds something.
    await run(process.execPath, [tsc, ...flags, 'program.mts'], { cwd: project }).catch(
      (error: unknown) => assert.fail((error as { stdout: string }).stdout),
    );
  });

  it('has the command', async () => {
    const command = path.join(installed, 'dist/main.js');
    const { stdout } = await run(command, ['--version'], { cwd: project });
    assert.equal(stdout.trim(), manifest.version);
    const checked = await run(command, ['--check-config'], { cwd: project });
    assert.match(checked.stdout, /^--engine +embedded/m, 'the engine was not built');
  });
});
