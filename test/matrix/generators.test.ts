/** The clients that common generators create from openapi.yaml: they compile, and they work. */
import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { build } from 'esbuild';
import { openApiToolsFolder } from '../../scripts/matrix/openapi-tools.mjs';
import { type ReadyGateway, startGateway } from '../helpers/process/gateway.ts';
import { link, root, run } from '../helpers/process/packed.ts';
import { fetchOrSkip } from '../helpers/process/unreachable.ts';

const fixtures = path.join(root, 'test/fixtures/generators');
const work = mkdtempSync(path.join(tmpdir(), 'generators-'));
after(() => rmSync(work, { recursive: true }));

/** The configuration of orval: a client for JSON and one for bytes. */
const orvalConfig = (baseUrl: string) => {
  const common = { mode: 'single', headers: true };
  const override = { mutator: { path: './orval-request.ts', name: 'request' } };
  const target = (name: string) => `./generated/${name}.ts`;
  const forJson = { ...common, baseUrl, target: target('for-json'), client: 'fetch' };
  const forBytes = {
    ...{ ...common, target: target('for-bytes'), client: 'axios-functions', override },
  };
  return `module.exports = ${JSON.stringify({
    json: { input: './openapi.yaml', output: forJson },
    bytes: { input: './openapi.yaml', output: forBytes },
  })};`;
};

interface Generator {
  readonly files: readonly string[];
  /** The command, relative to the folder of modules. */
  readonly command: string;
  readonly args: readonly string[];
  /** Packages that the generated code or the program imports. */
  readonly imports: readonly string[];
  /** Whether the generator's own code also satisfies the strictest options. */
  readonly isStrictest: boolean;
}

const strictest = ['--exactOptionalPropertyTypes', '--noPropertyAccessFromIndexSignature'];
const generators: Record<string, Generator> = {
  'openapi-fetch': {
    files: ['openapi-fetch.ts'],
    command: 'openapi-typescript/bin/cli.js',
    args: ['openapi.yaml', '--output', 'generated/api.ts'],
    imports: ['openapi-fetch', 'openapi-typescript-helpers'],
    isStrictest: true,
  },
  'hey-api': {
    files: ['hey-api.ts'],
    command: '@hey-api/openapi-ts/bin/run.js',
    args: ['--input', 'openapi.yaml', '--output', 'generated', '--no-log-file'],
    imports: [],
    isStrictest: false,
  },
  orval: {
    files: ['orval.ts', 'orval-request.ts'],
    command: 'orval/dist/bin/orval.js',
    args: ['--config', 'orval.config.cjs'],
    imports: [],
    isStrictest: true,
  },
};

describe('openapi.yaml', { timeout: 280_000 }, () => {
  it('has no finding of spectral', async (t) => {
    const modules = fetchOrSkip(t, 'spectral', openApiToolsFolder);
    if (modules === undefined) return;
    const ruleset = path.join(work, 'ruleset.yaml');
    writeFileSync(ruleset, 'extends: ["spectral:oas"]\n');
    const command = path.join(modules, '@stoplight/spectral-cli/dist/index.js');
    const args = ['lint', 'openapi.yaml', '--ruleset', ruleset, '--fail-severity', 'hint'];
    await run(process.execPath, [command, ...args], { cwd: root });
  });
});

describe('the client that a generator creates from openapi.yaml', { timeout: 280_000 }, () => {
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway();
  });
  after(() => gateway.stop());

  for (const [name, generator] of Object.entries(generators)) {
    it(`compiles strictly and works: ${name}`, async (t) => {
      const modules = fetchOrSkip(t, 'the generators', openApiToolsFolder);
      if (modules === undefined) return;
      const project = createProject(name, generator, modules);
      await generate(project, generator, modules);
      await compile(project, generator);
      const key = `kv/${name} 7?#ü`;
      assert.deepEqual(await play(project, generator, key), {
        created: 201,
        read: 'AP8KDYA=',
        range: [206, 'AP8='],
        missing: [404, '/problems/object-not-found', -3102],
        batch: ['AP8KDYA=', 404],
        info: [key, 5, 'DRAM'],
        removed: 204,
      });
    });
  }

  function createProject(name: string, { files, imports }: Generator, modules: string): string {
    const project = path.join(work, name);
    mkdirSync(project);
    for (const file of [...files, 'tsconfig.json']) {
      copyFileSync(path.join(fixtures, file), path.join(project, file));
    }
    copyFileSync(path.join(root, 'openapi.yaml'), path.join(project, 'openapi.yaml'));
    writeFileSync(path.join(project, 'package.json'), '{ "type": "module" }');
    writeFileSync(path.join(project, 'orval.config.cjs'), orvalConfig(gateway.url));
    for (const each of ['@types/node', 'undici-types']) link(project, each);
    for (const each of imports) {
      cpSync(path.join(modules, each), path.join(project, 'node_modules', each), {
        recursive: true,
      });
    }
    return project;
  }

  async function play(project: string, { files }: Generator, key: string): Promise<unknown> {
    const outfile = path.join(project, 'program.mjs');
    const entryPoints = [path.join(project, files[0] ?? '')];
    await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm' });
    const { stdout } = await run(process.execPath, [outfile, gateway.url, key]);
    return JSON.parse(stdout);
  }
});

/** Fails with the output of the command: generators and compilers write their faults to stdout. */
async function runIn(project: string, file: string, args: readonly string[]): Promise<void> {
  await run(process.execPath, [file, ...args], { cwd: project }).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    assert.fail(`${path.basename(file)} ${args.join(' ')}\n${`${stdout}${stderr}`.slice(0, 4000)}`);
  });
}

function generate(project: string, { command, args }: Generator, modules: string): Promise<void> {
  const own = command.startsWith('openapi-typescript/');
  return runIn(project, path.join(own ? path.join(root, 'node_modules') : modules, command), args);
}

/** Without and with the strictest options, since some of them also permit more. */
async function compile(project: string, { isStrictest }: Generator): Promise<void> {
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  for (const options of isStrictest ? [[], strictest] : [[]]) {
    await runIn(project, compiler, ['--project', '.', '--pretty', 'false', ...options]);
  }
}
