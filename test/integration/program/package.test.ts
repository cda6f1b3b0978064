/** The package as another program uses it: packed, unpacked elsewhere, with its install script run. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { defaultSizes, startGateway } from '../../helpers/process/gateway.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const project = mkdtempSync(path.join(tmpdir(), 'package-'));
const modules = path.join(project, 'node_modules');
const installed = path.join(modules, 'memcache-gateway');
after(() => rmSync(project, { recursive: true }));

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;

/** Links a dependency from this repository, since this test does not concern the registry. */
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

  /** Runs each example of a page of docs that is followed by its output. */
  async function runExamples(page: string, adapt = (example: string) => example): Promise<void> {
    const text = readFileSync(path.join(root, 'docs', page), 'utf8');
    const file = path.join(project, page.replace('.md', '.mjs'));
    const examples = [...text.matchAll(/^```js\n(.*?)^```\n\n```text\n(.*?)^```$/gms)];
    assert.equal(examples.length, text.match(/^```js$/gm)?.length, 'an example without its output');
    for (const [, example = '', expected] of examples) {
      writeFileSync(file, adapt(example));
      const { stdout } = await run(process.execPath, [file], { cwd: project });
      assert.equal(stdout, expected);
    }
  }

  it('prints the output that docs/node-store.md shows', () => runExamples('node-store.md'));

  it('prints the output that docs/client.md shows, with a gateway', async (t) => {
    const gateway = await startGateway({ env: defaultSizes });
    t.after(() => gateway.kill());
    await runExamples('client.md', (example) =>
      example.replace('http://127.0.0.1:8080', gateway.url),
    );
  });

  it('has types with which a strict program compiles', async () => {
    link('@types/node');
    link('undici-types');
    const program = `import { type Block, openStore, type Store } from 'memcache-gateway';
      const store: Store = await openStore({ engine: 'embedded', device: 1 });
      const block: Block | undefined = store.arena.tryAllocate((await store.info('a'))?.size ?? 1);
      // @ts-expect-error: the size is a number
      store.arena.tryAllocate(String(block?.length));
      // @ts-expect-error: the action is one of three words
      await store.put('a', new ArrayBuffer(1), { ifExists: 'skip' });
      for (const item of await store.getMany(['a'])) {
        if (!item.ok) throw item.error;
        const value: Buffer | undefined = item.value;
        // @ts-expect-error: a successful item has no error
        item.error === value;
      }
      await store[Symbol.asyncDispose]();
      import { DistributedObjectStore, type KeyInfo } from 'memcache-gateway/python-api';
      const python: DistributedObjectStore = new DistributedObjectStore({ engine: 'embedded' });
      const pythonInfo: KeyInfo = await python.getKeyInfo('a');
      const size: number = pythonInfo.size();
      size;
      import { createClient, type KeyInfo as Info } from 'memcache-gateway/client';
      const reported: Info = await createClient({ baseUrl: '' }).info('a');
      // @ts-expect-error: the outcome is one of three words
      (await createClient({ baseUrl: '' }).put('a', 'x')) === 'gone' || reported;
      import { GatewayError } from 'memcache-gateway/client';
      for await (const item of createClient({ baseUrl: '' }).batch.getEach(['a'])) {
        if (item.problem) throw new GatewayError(item.problem);
        const bytes: Uint8Array = item.value;
        // @ts-expect-error: a successful item has no problem
        bytes.length === item.problem.status;
      }`;
    writeFileSync(path.join(project, 'program.mts'), program);
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const flags = ['--noEmit', '--strict', '--module', 'NodeNext', '--target', 'ES2023'];
    // The types of browsers would take the compiler longer than all others.
    flags.push('--lib', 'ES2023', '--types', 'node');
    // The compiler writes its messages to stdout.
    await run(process.execPath, [tsc, ...flags, 'program.mts'], { cwd: project }).catch(
      (error: unknown) => assert.fail((error as { stdout: string }).stdout),
    );
  });

  it('contains a command that runs', async () => {
    const command = path.join(installed, 'dist/program/main.js');
    const { stdout } = await run(command, ['--version'], { cwd: project });
    assert.equal(stdout.trim(), manifest.version);
    const checked = await run(command, ['--check-config'], { cwd: project });
    assert.match(checked.stdout, /^--engine +embedded/m, 'the engine was not built');
  });
});
