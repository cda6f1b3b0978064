/** The default engine as a cache: objects without end, and large ones beside many small ones. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { embeddedLibraryPath } from '../../../src/native/start/built-libraries.ts';
import { batchesOf } from '../../helpers/bodies/batches.ts';
import { startEngine } from '../../helpers/engine/engine-process.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { connectRaw, requestHead } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, untilIdle } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const usedBytes = 'memcache_gateway_arena_bytes{state="used"}';

describe('a pool of 64 MiB', () => {
  let running: ReadyGateway;
  before(async () => {
    running = await startGateway({ args: ['--pool-bytes', '64MiB'] });
  });
  after(() => running.stop());
  const { request, store, value, problem, newKey } = requestTo(() => running);

  it('accepts an object that does not fit beside the others, and evicts the oldest', async () => {
    const keys: string[] = [];
    for (let at = 0; at < 14; at += 1) keys.push(await store(Buffer.alloc(4 * mebibyte, at)));
    const [used = '', oldest = ''] = keys;
    assert.equal((await value(used)).length, 4 * mebibyte);
    const large = randomBytes(13 * mebibyte);
    assert.ok((await value(await store(large))).equals(large));
    assert.equal((await request('HEAD', oldest)).status, 404);
    assert.equal((await request('HEAD', used)).status, 200);
    assert.equal((await request('HEAD', keys.at(-1) ?? '')).status, 200);
  });

  it('accepts objects of any size without end', async () => {
    for (let at = 0; at < 15; at += 1) {
      const bytes = Buffer.alloc((1 + ((at * 7) % 23)) * mebibyte, at);
      assert.ok((await value(await store(bytes))).equals(bytes), `object ${at}`);
    }
  });

  it('keeps its objects when one comes that could never fit', async () => {
    const key = await store('kept');
    const body = Buffer.alloc(1);
    const headers = { 'content-length': String(65 * mebibyte) };
    await problem('PUT', newKey('huge'), 413, 'object-too-large', { body, headers });
    assert.equal((await value(key)).toString(), 'kept');
  });
});

/** A pool whose figures are unknown, so that a put waits: an eviction may be under way. */
function fullPool(...args: string[]) {
  const injection = createInjection();
  let running: ReadyGateway;
  before(async () => {
    running = await startGateway({
      args: ['--engine', await injectingLibrary(), '--put-wait-ms', '60000', ...args],
      env: injection.env,
    });
    await injection.set([{ on: ['put', 'batch_put'], code: -1 }]);
  });
  after(async () => {
    await running.kill();
    injection.dispose();
  });
  return { gateway: () => running, makeRoom: () => injection.set([]) };
}

describe('a put into a full pool', () => {
  const { gateway, makeRoom } = fullPool('--arena-bytes', '32MiB');
  const { request, problem, newKey } = requestTo(gateway);

  it('waits until there is room, and is refused at once where too many bytes wait', async () => {
    const waiting = newKey('waiting');
    let ended = false;
    const put = request('PUT', waiting, { body: Buffer.alloc(5 * mebibyte) }).finally(() => {
      ended = true;
    });
    // Values that wait may hold a quarter of the arena, which is 8 MiB.
    await problem('PUT', newKey('beyond'), 507, 'no-room', { body: Buffer.alloc(9 * mebibyte) });
    assert.equal((await request('HEAD', waiting)).status, 404);
    assert.equal(ended, false);
    await makeRoom();
    assert.equal((await put).status, 201);
    await untilIdle(gateway().url);
  });
});

describe('a full pool', () => {
  const { gateway } = fullPool('--arena-bytes', '64MiB');
  const { request, newKey } = requestTo(gateway);

  it('does not store for a client that has disconnected, nor hold its value', async () => {
    const key = newKey('left');
    const { socket, send } = await connectRaw(gateway().port);
    send(requestHead('PUT', `/v1/objects/${key}`, { 'Content-Length': 5 * mebibyte }));
    send(Buffer.alloc(5 * mebibyte));
    await until(async () => (await metric(gateway().url, usedBytes)) >= 5 * mebibyte);
    socket.resetAndDestroy();
    await untilIdle(gateway().url);
    assert.equal((await request('HEAD', key)).status, 404);
  });

  it('does not delay a shutdown by puts that wait', async () => {
    const put = request('PUT', newKey('waits'), { body: Buffer.alloc(5 * mebibyte) });
    await until(async () => (await metric(gateway().url, usedBytes)) >= 5 * mebibyte);
    gateway().signal('SIGTERM');
    assert.equal((await put).status, 507);
    assert.deepEqual(await gateway().ended, { code: 0, signal: null });
  });
});

describe('a batch put that replaces objects in a full pool', () => {
  it('waits for room once, not for each item', async () => {
    const injection = createInjection();
    const running = await startGateway({
      args: ['--engine', await injectingLibrary(), '--put-wait-ms', '3000'],
      env: injection.env,
    });
    try {
      const { store } = requestTo(() => running);
      const { post } = batchesOf(() => running);
      const keys = await Promise.all(Array.from({ length: 20 }, () => store('x')));
      await injection.set([{ on: ['put', 'batch_put'], code: -1 }]);
      const items = keys.map((key) => ({ key, value: 'eA==' }));
      const since = performance.now();
      const answer = await post('put', JSON.stringify({ items, ifExists: 'replace' }));
      assert.equal(answer.headers['batch-failed'], '20');
      const waitedMs = performance.now() - since;
      assert.ok(waitedMs < 30_000, `${waitedMs} ms`);
    } finally {
      await running.kill();
      injection.dispose();
    }
  });
});

describe('a pool with a name', () => {
  it('is shared with programs that use the same name, and stays while one of them does', async () => {
    const name = `kv-${process.pid}`;
    const gateway = await startGateway({ args: ['--pool-name', name, '--pool-bytes', '16MiB'] });
    const { store, value } = requestTo(() => gateway);
    const env = { MMC_EMBEDDED_POOL: name, MMC_EMBEDDED_BYTES: String(16 * mebibyte) };
    const other = await startEngine(embeddedLibraryPath, env);
    try {
      assert.equal(await other.engine.init(0), 0);
      const key = await store('shared');
      assert.equal(await other.engine.exist(key), 0);
      assert.equal(await other.engine.put('of the program', { length: 5, fill: 7 }), 0);
      assert.deepEqual(await value('of the program'), Buffer.alloc(5, 7));
      assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
      assert.equal(await other.engine.exist('of the program'), 0);
      await other.engine.uninit();
    } finally {
      await gateway.kill();
      await other.kill();
    }
    assert.equal(existsSync(`/dev/shm/${name}`), false);
  });
});
