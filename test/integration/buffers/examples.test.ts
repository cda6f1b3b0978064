/** The programs of docs/shared-buffers.md, and a client with a /dev/shm of its own. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buffersOf, socketFile } from '../../helpers/http/buffers.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { unpackInto } from '../../helpers/process/packed.ts';

const run = promisify(execFile);
const page = readFileSync(
  fileURLToPath(new URL('../../../docs/shared-buffers.md', import.meta.url)),
  'utf8',
);
const without = (program: string, ...args: string[]) =>
  spawnSync(program, args).status === 0 ? false : `needs ${program}`;

/** A block of the page in a language, counted from 0. */
const block = (language: string, nth = 0): string =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))][nth]?.[1] ??
  assert.fail(language);

describe('docs/shared-buffers.md', () => {
  const socket = socketFile();
  const folder = mkdtempSync(path.join(tmpdir(), 'buffer-examples-'));
  const options = { cwd: folder, env: { ...process.env, SOCKET_FILE: socket } };
  let gateway: ReadyGateway;
  before(async () => {
    const listen = ['--listen', `unix:${socket}`, '--listen', '127.0.0.1:0'];
    gateway = await startGateway({ args: [...listen, '--shared-buffers', 'on'] });
  });
  after(async () => {
    await gateway.kill();
    rmSync(folder, { recursive: true });
  });

  it('has an example in Python that prints what the page says', {
    skip: without('python3', '--version'),
  }, async () => {
    writeFileSync(path.join(folder, 'example.py'), block('python'));
    const { stdout } = await run('python3', ['example.py'], options);
    assert.equal(stdout, block('text'));
  });

  it('has an example in C that compiles without warnings and prints what it has read', {
    skip: without('cc', '--version'),
  }, async () => {
    writeFileSync(path.join(folder, 'example.c'), block('c'));
    const flags = ['-std=c11', '-Wall', '-Wextra', '-Werror', 'example.c', '-o', 'example', '-lrt'];
    await run('cc', flags, options);
    const { stdout } = await run('./example', [], options);
    assert.match(
      stdout,
      /^201 \{"name":"c",.*\n200 .*"copied":true\}.*\n200 .*"size":7\}.*\nhello C\n204 /,
    );
  });

  it('has an example in JavaScript that prints what the page says', async () => {
    await unpackInto(folder, 'packages/client');
    writeFileSync(path.join(folder, 'example.mjs'), block('js'));
    const { stdout } = await run(process.execPath, ['example.mjs'], options);
    assert.equal(stdout, block('text', 1));
  });

  const ownFolder = ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs /dev/shm'];
  it('says why memory of another mount namespace is not found', {
    skip: without('unshare', ...ownFolder),
  }, async () => {
    const registration = '{"shmKey":"/memcache-elsewhere","byteSize":1}';
    const script = `mount -t tmpfs tmpfs /dev/shm && echo 1 > /dev/shm/memcache-elsewhere && curl -s -X PUT \
      --unix-socket ${socket} -H 'Content-Type: application/json' -d '${registration}' http://localhost/v1/buffers/n`;
    const { stdout } = await run('unshare', ['-m', 'sh', '-c', script]);
    const { type, detail } = JSON.parse(stdout) as { type: string; detail: string };
    assert.equal(type, '/problems/buffer-refused');
    assert.match(detail, /Containers and mount namespaces have a \/dev\/shm of their own/);
    const { refused } = buffersOf(`unix:${socket}`);
    await refused(404, 'buffer-not-found', 'GET', '/n');
  });
});
