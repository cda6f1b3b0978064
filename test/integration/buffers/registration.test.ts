/** Registration of the memory of clients: who may register what, and where it is mapped. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { sharedMemory } from '../../helpers/engine/client-memory.ts';
import { buffersOf, hasMapped, socketFile, workersOf } from '../../helpers/http/buffers.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { testToken, tokenFolder, writeTokens } from '../../helpers/process/token-files.ts';
import { until } from '../../helpers/process/until.ts';

const PAGE = 4096;
const uid = process.getuid?.() ?? 0;
const asRoot = uid === 0 ? false : 'needs root, to be another user';

describe('the registration of a buffer', () => {
  const socket = socketFile();
  const { request, refused, register, put } = buffersOf(`unix:${socket}`);
  let gateway: ReadyGateway;
  let tcp: ReturnType<typeof buffersOf>;
  before(async () => {
    gateway = await startGateway({
      args: [
        ...['--listen', `unix:${socket}`, '--listen', '127.0.0.1:0', '--socket-mode', '0666'],
        ...['--shared-buffers', 'on', '--shared-buffer-bytes', '1MiB', '--devices', '0,1'],
        ...['--ready-when', 'all', '--pool-name', 'memcache-test-pool'],
      ],
    });
    tcp = buffersOf(gateway.url);
  });
  after(async () => {
    await gateway.kill();
    // A killed gateway leaves a pool with a name for other programs.
    rmSync('/dev/shm/memcache-test-pool');
  });
  const workers = async () => (await workersOf(gateway.url)).map(({ pid }) => pid);

  it('maps the memory in every worker, and its removal unmaps it', async () => {
    const memory = sharedMemory(2 * PAGE);
    const json = await register('a', memory.key, PAGE, { offset: PAGE });
    const { sinceMs, workers: states, owner, ...others } = json;
    assert.ok((sinceMs ?? -1) >= 0);
    assert.deepEqual(owner, { uid, pid: process.pid });
    assert.deepEqual(
      states,
      [0, 1].map((device) => ({ device, state: 'mapped' })),
    );
    const expected = {
      name: 'a',
      shmKey: memory.key,
      offset: PAGE,
      byteSize: PAGE,
      state: 'ready',
    };
    assert.deepEqual(others, { ...expected, inFlight: 0, ttlMs: null });
    for (const pid of await workers()) assert.ok(hasMapped(pid, memory.key));
    assert.equal((await request('GET', '/a')).json.name, 'a');
    assert.equal((await request('HEAD', '/a')).status, 200);
    assert.deepEqual((await request('GET', '')).json.buffers?.length, 1);
    assert.equal((await request('DELETE', '/a')).status, 204);
    for (const pid of await workers()) assert.ok(!hasMapped(pid, memory.key));
    await refused(404, 'buffer-not-found', 'GET', '/a');
    await refused(404, 'buffer-not-found', 'DELETE', '/a');
    await refused(404, 'buffer-not-found', 'POST', '/a/put', { items: [] });
    memory.close();
  });

  it('is a success again with the same memory, and a conflict with another one', async () => {
    const memory = sharedMemory(2 * PAGE);
    const other = sharedMemory(2 * PAGE);
    await register('b', memory.key, PAGE);
    const body = { shmKey: memory.key, byteSize: PAGE, ttlMs: 600_000 };
    const again = await request('PUT', '/b', body);
    assert.equal(again.status, 200);
    assert.equal(again.json.ttlMs, 600_000);
    for (const changed of [{ byteSize: PAGE + 1 }, { offset: 1 }, { shmKey: other.key }]) {
      await refused(409, 'buffer-exists', 'PUT', '/b', { ...body, ...changed });
    }
    await register('b2', memory.key, 2 * PAGE);
    assert.equal((await request('DELETE', '')).status, 204);
    assert.deepEqual((await request('GET', '')).json.buffers, []);
    for (const each of [memory, other]) each.close();
  });

  it('outlives the name of the memory, also in a worker that is started later', async () => {
    const memory = sharedMemory(PAGE);
    memory.write(0, Buffer.from('kept'));
    await register('unlinked', memory.key, PAGE);
    memory.unlink();
    const imposter = sharedMemory(PAGE, memory.key.slice(1));
    const [first] = await workers();
    process.kill(first ?? 0, 'SIGKILL');
    await until(async () => {
      // A connection to the killed worker fails.
      const now = await workersOf(gateway.url).catch(() => []);
      return now.length === 2 && now.every(({ pid, state }) => state === 'ready' && pid !== first);
    });
    const { json } = await request('GET', '/unlinked');
    assert.deepEqual(
      json.workers,
      [1, 0].map((device) => ({ device, state: 'mapped' })),
    );
    for (let n = 0; n < 4; n++) {
      const [item] = await put('unlinked', [{ key: `kept/${n}`, offset: 0, size: 4 }]);
      assert.equal(item?.status, 201);
      assert.equal(await (await fetch(`${gateway.url}/v1/objects/kept/${n}`)).text(), 'kept');
    }
    await request('DELETE', '/unlinked');
    for (const each of [memory, imposter]) each.close();
  });

  it('ends with the process that made it, even when that is killed', async () => {
    const memory = sharedMemory(PAGE);
    const program = `
      const http = require('node:http');
      const body = JSON.stringify({ shmKey: '${memory.key}', byteSize: ${PAGE} });
      const headers = { 'Content-Type': 'application/json' };
      http.request({ socketPath: '${socket}', path: '/v1/buffers/owned', method: 'PUT', headers })
        .on('response', () => process.kill(process.pid, 'SIGKILL')).end(body);`;
    const child = spawn(process.execPath, ['--eval', program], { stdio: 'inherit' });
    const registered = until(async () => (await request('GET', '/owned')).status === 200);
    await registered;
    assert.equal((await request('GET', '/owned')).json.owner?.pid, child.pid);
    await until(async () => (await request('GET', '/owned')).status === 404);
    for (const pid of await workers()) assert.ok(!hasMapped(pid, memory.key));
    memory.close();
  });

  it('ends after its ttlMs, which another registration renews', async () => {
    const memory = sharedMemory(PAGE);
    await register('short', memory.key, PAGE, { ttlMs: 1 });
    await until(async () => (await request('GET', '/short')).status === 404);
    await register('short', memory.key, PAGE, { ttlMs: 1 });
    assert.equal(
      (await request('PUT', '/short', { shmKey: memory.key, byteSize: PAGE })).status,
      200,
    );
    assert.equal((await request('DELETE', '/short')).status, 204);
    memory.close();
  });

  it('refuses names and numbers that are none', async () => {
    const good = { shmKey: '/memcache-x', byteSize: 1 };
    const names = [
      '',
      '.',
      '..',
      '.a',
      'a/b',
      'a%2Fb',
      'a%00',
      'a b',
      'é',
      'a'.repeat(129),
      'a'.repeat(300),
    ];
    for (const name of names) {
      const target = encodeURI(name).replaceAll('%25', '%');
      await refused(400, 'invalid-parameter', 'PUT', `/${target}`, good);
    }
    await refused(400, 'invalid-parameter', 'PUT', '/x?mode=1', good);
    const bodies = [
      ...['', '[]', '{}', '{"shmKey":"/a"}', '{"byteSize":1}', '{"shmKey":1,"byteSize":1}'],
      ...[
        { byteSize: 0 },
        { byteSize: -1 },
        { byteSize: 0.5 },
        { byteSize: 2 ** 53 },
        { offset: -1 },
      ],
      ...[{ offset: 1e300 }, { ttlMs: 0 }, { ttlMs: 2 ** 31 }, { ttlMs: 1.5 }, { address: 1 }],
    ].map((part) => (typeof part === 'string' ? part : { ...good, ...part }));
    for (const body of bodies) await refused(400, 'invalid-body', 'PUT', '/x', body);
    await refused(400, 'invalid-body', 'PUT', '/x', '{"shmKey":"/a","shmKey":"/a","byteSize":1}');
  });

  it('refuses memory that is not ordinary shared memory of the client', async () => {
    const memory = sharedMemory(PAGE);
    const stem = `memcache-odd-${process.pid}`;
    const made = [
      `/dev/shm/${stem}-link`,
      `/dev/shm/${stem}-folder`,
      `/dev/shm/other-${process.pid}`,
    ];
    symlinkSync(memory.path, made[0] as string);
    mkdirSync(made[1] as string);
    writeFileSync(made[2] as string, 'x'.repeat(PAGE));
    const refusal = (shmKey: string, more: object = {}) =>
      refused(422, 'buffer-refused', 'PUT', '/x', { shmKey, byteSize: 1, ...more });
    const details: readonly [string, RegExp][] = [
      ['/memcache-none', /does not exist in the \/dev\/shm of the gateway. Containers/],
      ['memcache-x', /must be a slash and a name/],
      ['/', /must be a slash and a name/],
      ['/..', /is not the name of a file/],
      ['/../etc/passwd', /has a second slash/],
      ['/memcache-x/../../etc/passwd', /has a second slash/],
      ['/memcache-\u0000', /has a control character/],
      [`/memcache-${'x'.repeat(300)}`, /has more than 255 bytes/],
      [`/${stem}-link`, /is a symbolic link/],
      [`/${stem}-folder`, /cannot be opened \(EISDIR\)/],
      [`/other-${process.pid}`, /matches none of --shared-buffer-names/],
      ['/memcache-test-pool', /belongs to a pool/],
      ['/mcg-0-x', /belongs to a pool/],
    ];
    for (const [shmKey, detail] of details) assert.match(await refusal(shmKey), detail);
    const tooFew = /has 4096 bytes, too few for/;
    for (const [offset, byteSize] of [
      [0, PAGE + 1],
      [1, PAGE],
      [PAGE, 1],
      [PAGE + 1, 1],
    ] as const) {
      assert.match(await refusal(memory.key, { offset, byteSize }), tooFew);
    }
    const most = Number.MAX_SAFE_INTEGER;
    assert.match(await refusal(memory.key, { offset: most, byteSize: most }), tooFew);
    assert.match(await refusal(memory.key, { offset: 1, byteSize: most }), tooFew);
    for (const file of made) rmSync(file, { recursive: true });
    memory.close();
    assert.deepEqual((await request('GET', '')).json.buffers, []);
  });

  it('refuses more bytes than all buffers may have, and takes as many', async () => {
    const memory = sharedMemory(2 << 20);
    const full = (byteSize: number) =>
      refused(507, 'buffers-full', 'PUT', '/y', { shmKey: memory.key, byteSize });
    await full((1 << 20) + 1);
    await register('x', memory.key, (1 << 20) - PAGE);
    await full(PAGE + 1);
    await register('y', memory.key, PAGE);
    await refused(507, 'buffers-full', 'PUT', '/z', { shmKey: memory.key, byteSize: 1 });
    assert.equal((await request('DELETE', '')).status, 204);
    memory.close();
  });

  it('refuses the memory of another user, and the buffers of one', { skip: asRoot }, async () => {
    const memory = sharedMemory(PAGE);
    await register('mine', memory.key, PAGE);
    const ask = (method: string, target: string, body = '') =>
      asOther(socket, method, target, body, 65_534);
    const registration = JSON.stringify({ shmKey: memory.key, byteSize: PAGE });
    assert.match(
      await ask('PUT', '/v1/buffers/theirs', registration),
      /belongs to the user 0, and the client is the user 65534/,
    );
    assert.match(await ask('PUT', '/v1/buffers/mine', registration), /buffer-not-permitted/);
    const transfer = JSON.stringify({ items: [{ key: 'k', offset: 0, size: 1 }] });
    for (const operation of ['put', 'get']) {
      assert.match(
        await ask('POST', `/v1/buffers/mine/${operation}`, transfer),
        /buffer-not-permitted/,
      );
    }
    assert.equal((await request('DELETE', '/mine')).status, 204);
    memory.close();
  });

  it('is refused to clients of a loopback address', async () => {
    const body = { shmKey: '/memcache-x', byteSize: 1 };
    const needed = /need a connection to a Unix socket/;
    assert.match(await tcp.refused(403, 'buffers-disabled', 'PUT', '/x', body), needed);
    for (const [method, where] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/x'],
      ['DELETE', '/x'],
    ] as const) {
      assert.match(await tcp.refused(403, 'buffers-disabled', method, where), needed);
    }
    for (const operation of ['put', 'get']) {
      await tcp.refused(403, 'buffers-disabled', 'POST', `/x/${operation}`, { items: [] });
    }
    await refused(405, 'method-not-allowed', 'POST', '/x', body);
    await refused(405, 'method-not-allowed', 'GET', '/x/put');
    await refused(405, 'method-not-allowed', 'PUT', '', body);
  });
});

describe('buffers of clients with tokens on a loopback address', () => {
  const folder = tokenFolder();
  const file = path.join(folder.path, 'tokens');
  const one = testToken({ prefixes: ['one/'] });
  const reader = testToken({ scopes: ['read'] });
  const admin = testToken({ scopes: ['read', 'write', 'admin'] });
  let gateway: ReadyGateway;
  const as = ({ token }: { token: string }) =>
    buffersOf(gateway.url, { Authorization: `Bearer ${token}` });
  before(async () => {
    writeTokens(file, [one, reader, admin]);
    const flags = ['--token-file', file, '--shared-buffers', 'loopback'];
    gateway = await startGateway({
      args: [...flags, '--shared-buffer-names', '/a-*-z,/memcache-test-*'],
    });
  });
  after(async () => {
    await gateway.kill();
    folder.remove();
  });

  it('need the scope write to register, and belong to the token', async () => {
    const memory = sharedMemory(PAGE);
    const body = { shmKey: memory.key, byteSize: PAGE };
    await buffersOf(gateway.url).refused(401, 'token-required', 'PUT', '/a', body);
    await as(reader).refused(403, 'scope-missing', 'PUT', '/a', body);
    const json = await as(one).register('a', memory.key, PAGE);
    assert.deepEqual(json.owner, { uid: null, pid: null });
    await as(reader).refused(403, 'buffer-not-permitted', 'POST', '/a/get', { items: [] });
    await as(reader).refused(403, 'buffer-not-permitted', 'GET', '/a');
    await as(reader).refused(403, 'scope-missing', 'DELETE', '/a');
    assert.deepEqual((await as(reader).request('GET', '')).json.buffers, []);
    assert.equal((await as(admin).request('GET', '')).json.buffers?.length, 1);
    await as(admin).refused(403, 'buffer-not-permitted', 'POST', '/a/put', { items: [] });
    await as(admin).refused(403, 'buffer-not-permitted', 'PUT', '/a', body);
    assert.equal((await as(admin).request('DELETE', '/a')).status, 204);
    memory.close();
  });

  it('give each key outside the prefixes of the token its own 403', async () => {
    const memory = sharedMemory(PAGE);
    const { register, put, get, request } = as(one);
    await register('a', memory.key, PAGE);
    const items = ['one/a', 'two/a'].map((key, n) => ({ key, offset: n, size: 1 }));
    assert.deepEqual(
      (await put('a', items)).map(({ status }) => status),
      [201, 403],
    );
    const read = await get('a', items);
    assert.deepEqual(
      read.map(({ status, type }) => [status, type]),
      [
        [200, undefined],
        [403, '/problems/key-not-permitted'],
      ],
    );
    await request('DELETE', '/a');
    memory.close();
  });

  it('match a pattern as a whole', async () => {
    const refusal = (shmKey: string) =>
      as(one).refused(422, 'buffer-refused', 'PUT', '/p', { shmKey, byteSize: 1 });
    assert.match(await refusal('/a-b-z'), /does not exist/);
    assert.match(await refusal('/a--z'), /does not exist/);
    for (const other of ['/a-b-zz', '/ba-b-z', '/a-z', '/memcache-tes']) {
      assert.match(await refusal(other), /matches none/);
    }
  });
});

describe('without --shared-buffers', () => {
  it('every request for buffers is refused', async () => {
    const socket = socketFile();
    const gateway = await startGateway({
      args: ['--listen', `unix:${socket}`, '--listen', '127.0.0.1:0'],
    });
    const { refused } = buffersOf(`unix:${socket}`);
    assert.match(await refused(403, 'buffers-disabled', 'GET', ''), /They are off/);
    await refused(403, 'buffers-disabled', 'PUT', '/x', { shmKey: '/memcache-x', byteSize: 1 });
    await gateway.kill();
  });
});

/** The body of a response to a client of another user. */
function asOther(
  socket: string,
  method: string,
  target: string,
  body: string,
  user: number,
): Promise<string> {
  const headers = ['-H', 'Content-Type: application/json', '--data-binary', body];
  const args = [
    '-s',
    '--unix-socket',
    socket,
    '-X',
    method,
    ...headers,
    `http://localhost${target}`,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn('curl', args, {
      uid: user,
      gid: user,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}
