/** The client as another program uses it: packed, and installed elsewhere by npm. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { defaultSizes, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { pack, root, run } from '../../helpers/process/packed.ts';
import { runExamples } from '../../helpers/process/page-examples.ts';

const work = mkdtempSync(path.join(tmpdir(), 'client-package-'));
after(() => rmSync(work, { recursive: true }));

/** The options by which npm installs for another platform. */
const platforms = {
  here: [],
  darwin: ['--os=darwin', '--cpu=arm64'],
  win32: ['--os=win32', '--cpu=x64'],
};

describe('the package of the client', () => {
  let gateway: ReadyGateway;
  const inProject = (name: string, file = '') => path.join(work, name, file);
  before(async () => {
    const started = startGateway({ env: defaultSizes });
    const tarball = await pack('packages/client', work);
    for (const [name, options] of Object.entries(platforms)) {
      mkdirSync(inProject(name));
      writeFileSync(inProject(name, 'package.json'), '{ "type": "module" }');
      const install = ['install', '--offline', '--foreground-scripts', ...options, tarball];
      await run('npm', install, { cwd: inProject(name) });
    }
    gateway = await started;
  });
  after(() => gateway.kill());

  const here = (example: string) => example.replace('http://127.0.0.1:8080', gateway.url);

  it('has no dependency, no install script and no platform', () => {
    const lock = JSON.parse(readFileSync(inProject('here', 'package-lock.json'), 'utf8')) as {
      packages: Record<string, object>;
    };
    const installed = Object.keys(lock.packages).filter((name) => name !== '');
    assert.deepEqual(installed, ['node_modules/memcache-gateway-client']);
    const barred = ['hasInstallScript', 'os', 'cpu', 'dependencies', 'peerDependencies'];
    const members = Object.keys(lock.packages[installed[0] ?? ''] ?? {});
    assert.deepEqual(
      members.filter((member) => barred.includes(member)),
      [],
    );
  });

  for (const platform of ['darwin', 'win32'] as const) {
    it(`runs as it is installed on ${platform}, and prints the output that its README shows`, () =>
      runExamples(inProject(platform), 'packages/client/README.md', here));
  }

  it('is bundled for a browser without a warning, and imports nothing', async () => {
    const entry = inProject('here', 'entry.mjs');
    writeFileSync(entry, "export { createClient } from 'memcache-gateway-client';");
    const { warnings, metafile } = await build({
      ...{ entryPoints: [entry], bundle: true, platform: 'browser', format: 'esm' },
      ...{ write: false, metafile: true, logLevel: 'silent', tsconfigRaw: '{}' },
    });
    assert.deepEqual(warnings, []);
    const [output] = Object.values(metafile.outputs);
    assert.deepEqual(output?.imports, []);
    const inputs = Object.keys(metafile.inputs);
    assert.ok(!inputs.some((file) => file.includes('shared-buffer')), 'a part for Node is bundled');
    writeFileSync(entry, "import 'memcache-gateway-client';");
    const unused = await build({
      ...{ entryPoints: [entry], bundle: true, platform: 'browser', format: 'esm' },
      ...{ write: false, logLevel: 'silent', tsconfigRaw: '{}' },
    });
    assert.doesNotMatch(unused.outputFiles[0]?.text ?? '', /class|function/);
  });

  it('has the results of the store for Node programs', async () => {
    const program = fileURLToPath(new URL('../../fixtures/store-or-client.mjs', import.meta.url));
    const play = async (...args: string[]) =>
      (await run(process.execPath, [program, ...args], { cwd: root })).stdout.split('\n');
    assert.deepEqual(await play(gateway.url), await play());
  });
});
