/** The programs of docs/guides.md, with the compilers that this machine has. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { defaultSizes, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';

const execute = promisify(execFile);
const example = (name: string) =>
  fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));
const isMissing = (tool: string, ...args: string[]) => spawnSync(tool, args).status !== 0;

const printed = `stored 3 blocks of 8994816 bytes
3 of 4 blocks are there
the bytes are equal
a missing block: false
removed the blocks
`;

describe('the guide for', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'guides-'));
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway({ env: defaultSizes });
  });
  after(async () => {
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });

  async function run(file: string, ...args: string[]): Promise<string> {
    const env = { ...process.env, GATEWAY_URL: gateway.url };
    const { stdout } = await execute(file, args, { env });
    return stdout.replaceAll('\r', '');
  }

  it('Python runs', { skip: isMissing('python3', '--version') && 'no python3' }, async () => {
    assert.equal(await run('python3', '-W', 'error', example('python/kv_cache.py')), printed);
  });

  it('Go compiles, has the form of gofmt, and runs', {
    skip: isMissing('go', 'version') && 'no go',
  }, async () => {
    const source = example('go/main.go');
    const env = { ...process.env, GO111MODULE: 'off', GOCACHE: path.join(folder, 'go') };
    const program = path.join(folder, 'kv-cache');
    await execute('go', ['vet', source], { env });
    assert.equal((await execute('gofmt', ['-l', source])).stdout, '');
    await execute('go', ['build', '-o', program, source], { env });
    assert.equal(await run(program), printed);
  });

  it('Java compiles without a warning, and runs', {
    skip: isMissing('javac', '--version') && 'no javac',
  }, async () => {
    const source = example('java/KvCache.java');
    await execute('javac', ['-Xlint:all', '-Werror', '-d', folder, source]);
    assert.equal(await run('java', '-cp', folder, 'KvCache'), printed);
  });

  it('any language leaves no object behind', async () => {
    const listed = await fetch(`${gateway.url}/v1/keys?prefix=guides/`);
    assert.deepEqual(await listed.json(), { keys: [] });
  });
});
