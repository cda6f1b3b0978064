/** Transfers between the memory of clients and the pool. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { type SharedMemory, sharedMemory } from '../../helpers/engine/client-memory.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { buffersOf, hasMapped, socketFile } from '../../helpers/http/buffers.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, untilIdle, usedBlocks } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const mebibyte = 1 << 20;
const listening = (socket: string) => [
  ...['--listen', `unix:${socket}`, '--listen', '127.0.0.1:0'],
  ...['--shared-buffers', 'on', '--shared-buffer-bytes', '1GiB'],
];

/** The same results, whether the engine uses the memory of the client or a copy of it. */
for (const copies of ['off', 'on'] as const) {
  const socket = socketFile();
  const { request, refused, register, put, get } = buffersOf(`unix:${socket}`);
  const copied = copies === 'on' ? { copied: true as const } : {};
  describe(`transfers, with copies ${copies}`, () => {
    let gateway: ReadyGateway;
    let memory: SharedMemory;
    before(async () => {
      const limits = [
        '--max-object-bytes',
        '8MiB',
        '--arena-bytes',
        '16MiB',
        '--pool-bytes',
        '64MiB',
      ];
      gateway = await startGateway({
        args: [...listening(socket), ...limits, '--shared-buffer-copies', copies],
        env: { GATEWAY_DEBUG_ARENA: '1' },
      });
      memory = sharedMemory(32 * mebibyte);
      await register('b', memory.key, 32 * mebibyte);
    });
    after(async () => {
      await untilIdle(gateway.url);
      assert.equal((await request('GET', '/b')).json.inFlight, 0);
      assert.equal((await request('DELETE', '/b')).status, 204);
      assert.ok(!hasMapped(gateway.workerPid() ?? 0, memory.key));
      memory.close();
      await gateway.kill();
    });
    const client = clientOf(() => gateway);
    const bytesOf = async (key: string) => Buffer.from((await client.get(key)) ?? []);
    const newKey = () => `buffers/${randomUUID()}`;

    it('store and read objects of any size at any offset', async () => {
      const sizes = [1, 7, 100, 4096, 65_537, 3 * mebibyte, 8 * mebibyte];
      const values = sizes.map((size) => randomBytes(size));
      let offset = 13;
      const items = values.map((value) => {
        const item = { key: newKey(), offset, size: value.length };
        memory.write(offset, value);
        offset += value.length + 3;
        return item;
      });
      for (const [n, item] of (await put('b', items)).entries()) {
        const { key, size } = items[n] as (typeof items)[number];
        assert.deepEqual(item, { key, status: 201, code: 0, outcome: 'created', size, ...copied });
        assert.deepEqual(await bytesOf(key), values[n]);
      }
      const target = items.map((item) => ({ ...item, offset: item.offset + 16 * mebibyte }));
      for (const [n, item] of (await get('b', target)).entries()) {
        const { key, size, offset: at } = target[n] as (typeof items)[number];
        assert.deepEqual(item, { key, status: 200, code: 0, size, ...copied });
        assert.deepEqual(memory.read(at, size), values[n]);
      }
      await client.deleteMany(items.map(({ key }) => key));
    });

    it('gather and scatter layers that do not lie one after another, and no others', async () => {
      const value = randomBytes(30);
      memory.write(100, value.subarray(0, 10));
      memory.write(110, value.subarray(10, 20));
      memory.write(500, value.subarray(20));
      const layers = [
        { offset: 100, size: 10 },
        { offset: 110, size: 10 },
        { offset: 500, size: 10 },
      ];
      const key = newKey();
      const [scattered] = await put('b', [{ key, layers }]);
      assert.deepEqual([scattered?.size, scattered?.copied], [30, true]);
      assert.deepEqual(await bytesOf(key), value);
      const other = newKey();
      const [adjacent] = await put('b', [{ key: other, layers: layers.slice(0, 2) }]);
      assert.deepEqual([adjacent?.size, adjacent?.copied], [20, copied.copied]);
      const moved = layers.map(({ offset, size }) => ({ offset: 5000 - offset, size }));
      const [read] = await get('b', [{ key, layers: moved }]);
      assert.deepEqual([read?.size, read?.copied], [30, true]);
      const parts = moved.map(({ offset, size }) => memory.read(offset, size));
      assert.deepEqual(Buffer.concat(parts), value);
      const [wrong] = await get('b', [{ key, layers: moved.slice(0, 2) }]);
      assert.deepEqual(
        [wrong?.status, wrong?.type, wrong?.size],
        [422, '/problems/buffer-range', 30],
      );
    });

    it('find out sizes that a get does not name, and say what does not fit', async () => {
      const [short, long] = [newKey(), newKey()];
      await client.put(short, Buffer.from('short'));
      await client.put(long, Buffer.alloc(200, 7));
      const end = 32 * mebibyte;
      const items = [
        { key: short, offset: 0 },
        { key: long, offset: 10, size: 300 },
        { key: long, offset: 400, size: 199 },
        { key: long, offset: end - 200 },
        { key: long, offset: end - 199 },
        { key: newKey(), offset: 1000 },
        { key: newKey(), offset: 1000, size: 5 },
        { key: short, offset: 1100, size: 5 },
      ];
      const results = await get('b', items);
      const brief = results.map(({ status, type, size }) => [status, type?.slice(10), size]);
      assert.deepEqual(brief, [
        [200, undefined, 5],
        [200, undefined, 200],
        [422, 'buffer-range', 200],
        [200, undefined, 200],
        [422, 'buffer-range', 200],
        [404, 'object-not-found', undefined],
        [404, 'object-not-found', undefined],
        [200, undefined, 5],
      ]);
      assert.equal(memory.read(0, 5).toString(), 'short');
      for (const offset of [10, end - 200]) {
        assert.deepEqual(memory.read(offset, 200), Buffer.alloc(200, 7));
      }
      const overlapping = await get('b', [
        { key: short, offset: 0 },
        { key: short, offset: 4 },
        { key: short, offset: 5 },
      ]);
      assert.deepEqual(
        overlapping.map(({ status }) => status),
        [200, 422, 200],
      );
    });

    it('obey ifExists, and take the first of two items with one key', async () => {
      const key = newKey();
      memory.write(0, Buffer.from('onetwothree'));
      const item = (offset: number, size: number) => [{ key, offset, size }];
      const outcome = async (offset: number, size: number, more: object) =>
        (await put('b', item(offset, size), more)).map((one) => [one.status, one.outcome])[0];
      assert.deepEqual(await outcome(0, 3, {}), [201, 'created']);
      assert.deepEqual(await outcome(3, 3, {}), [409, undefined]);
      assert.deepEqual(await outcome(3, 3, { ifExists: 'keep' }), [200, 'kept']);
      assert.equal((await bytesOf(key)).toString(), 'one');
      assert.deepEqual(await outcome(6, 5, { ifExists: 'replace' }), [200, 'replaced']);
      assert.equal((await bytesOf(key)).toString(), 'three');
      const twice = newKey();
      const both = [0, 3].map((offset) => ({ key: twice, offset, size: 3 }));
      assert.deepEqual(
        (await put('b', both)).map(({ status }) => status),
        [201, 409],
      );
      assert.equal((await bytesOf(twice)).toString(), 'one');
      const [impossible] = await put('b', [{ key: newKey(), offset: 0, size: 1 }], { replicas: 2 });
      assert.deepEqual(
        [impossible?.status, impossible?.type],
        [422, '/problems/placement-impossible'],
      );
    });

    it('refuse ranges outside the buffer, too large objects, and device memory', async () => {
      const end = 32 * mebibyte;
      const most = Number.MAX_SAFE_INTEGER;
      const ranges = [
        ...[
          [end, 1],
          [end - 1, 2],
          [0, end + 1],
          [most, most],
          [1, most],
          [0, 8 * mebibyte + 1],
        ],
      ] as const;
      const items = ranges.map(([offset, size]) => ({ key: newKey(), offset, size }) as const);
      const five = Array.from({ length: 5 }, () => [422, 'buffer-range']);
      const brief = (await put('b', items as never)).map(({ status, type }) => [
        status,
        type?.slice(10),
      ]);
      assert.deepEqual(brief, [...five, [413, 'object-too-large']]);
      const read = await get('b', items.slice(0, 5));
      assert.deepEqual(
        read.map(({ status, type }) => [status, type?.slice(10)]),
        five,
      );
      const layers = [
        { offset: 0, size: 1 },
        { offset: end, size: 1 },
      ];
      assert.deepEqual(
        (await put('b', [{ key: newKey(), layers }])).map(({ status }) => status),
        [422],
      );
      await refused(422, 'device-memory-required', 'POST', '/b/put', { items: [], direct: 'L2G' });
      await refused(422, 'device-memory-required', 'POST', '/b/get', { items: [], direct: 'G2L' });
      for (const [operation, direct] of [
        ['put', 'G2H'],
        ['get', 'H2G'],
        ['put', 'h2g'],
      ]) {
        await refused(400, 'invalid-parameter', 'POST', `/b/${operation}`, { items: [], direct });
      }
      assert.deepEqual(await put('b', []), []);
      assert.deepEqual(await get('b', []), []);
    });

    it('refuse bodies of another form', async () => {
      const layer = { offset: 0, size: 1 };
      const wrong = [
        ...[
          {},
          { key: 'a' },
          { key: 'a', offset: 0 },
          { key: 'a', size: 1 },
          { offset: 0, size: 1 },
        ],
        ...[
          { key: 'a', offset: -1, size: 1 },
          { key: 'a', offset: 0, size: 0 },
        ],
        ...[
          { key: 'a', layers: [] },
          { key: 'a', layers: [layer], offset: 0 },
        ],
        ...[
          { key: 'a', layers: [{ offset: 0 }] },
          { key: 'a', layers: [{ ...layer, x: 1 }] },
        ],
        ...[
          { key: 'a', ...layer, address: 1 },
          { key: 'a', offset: 0.5, size: 1 },
        ],
        { key: 'a', offset: 0, size: 2 ** 53 },
      ];
      for (const item of wrong) {
        await refused(400, 'invalid-body', 'POST', '/b/put', { items: [item] });
      }
      for (const item of [{ key: 'a' }, { key: 'a', size: 1 }]) {
        await refused(400, 'invalid-body', 'POST', '/b/get', { items: [item] });
      }
      await refused(400, 'invalid-body', 'POST', '/b/get', { items: [], replicas: 1 });
      await refused(400, 'invalid-body', 'POST', '/b/put', {});
      await refused(400, 'invalid-key', 'POST', '/b/put', { items: [{ key: '', ...layer }] });
      const layers = (count: number) => [
        { key: newKey(), layers: Array(count).fill(layer) as never },
      ];
      assert.deepEqual(
        (await put('b', layers(255))).map(({ status }) => status),
        [201],
      );
      await refused(400, 'invalid-body', 'POST', '/b/put', { items: layers(256) });
    });
  });
}

describe('a buffer whose client truncates it', () => {
  const socket = socketFile();
  const { request, refused, register, put } = buffersOf(`unix:${socket}`);
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway({
      args: [...listening(socket), '--pool-bytes', '256MiB', '--arena-bytes', '64MiB'],
    });
  });
  after(() => gateway.kill());

  it('is broken: its transfers fail, its worker lives, and it can be registered again', async () => {
    const memory = sharedMemory(mebibyte);
    await register('t', memory.key, mebibyte);
    const pid = gateway.workerPid();
    memory.truncate(mebibyte - 1);
    const items = [{ key: randomUUID(), offset: 0, size: 8 }];
    await refused(422, 'buffer-broken', 'POST', '/t/put', { items });
    await until(() => !hasMapped(pid ?? 0, memory.key));
    for (const operation of ['put', 'get']) {
      await refused(422, 'buffer-broken', 'POST', `/t/${operation}`, { items });
    }
    const { json } = await request('GET', '/t');
    assert.deepEqual([json.state, json.inFlight, json.workers], ['broken', 0, []]);
    memory.truncate(mebibyte);
    await register('t', memory.key, mebibyte);
    assert.deepEqual(
      (await put('t', items)).map(({ status }) => status),
      [201],
    );
    memory.truncate(0);
    await refused(422, 'buffer-broken', 'POST', '/t/get', { items });
    assert.equal((await request('DELETE', '/t')).status, 204);
    await refused(404, 'buffer-not-found', 'GET', '/t');
    assert.equal(gateway.workerPid(), pid);
    memory.close();
  });

  it('leaves no torn object behind, and no reader gets other bytes than zeros and those that were put', async () => {
    const bytes = 4 * mebibyte;
    const pid = gateway.workerPid();
    const seen = new Map<string, number>();
    for (let round = 0; round < 40; round++) {
      const memory = sharedMemory(4 * bytes);
      for (let n = 0; n < 4; n++) memory.write(n * bytes, Buffer.alloc(bytes, 1 + n));
      const name = `r${round}`;
      await register(name, memory.key, 4 * bytes);
      const items = Array.from({ length: 4 }, (_, n) => ({
        key: `torn/${round}/${n}`,
        offset: n * bytes,
        size: bytes,
      }));
      const transfer = request('POST', `/${name}/put`, { items });
      // At another moment of the transfer in each round.
      for (let turn = 0; turn < round; turn++) await new Promise(setImmediate);
      memory.truncate((round % 4) * bytes);
      const { status, json } = await transfer;
      const all = status === 200 ? (json.items ?? []) : [];
      for (const [n, item] of items.entries()) {
        const outcome = all[n]?.type?.slice(10) ?? all[n]?.outcome ?? String(status);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        const stored = await fetch(`${gateway.url}/v1/objects/${item.key}`);
        assert.equal(stored.status, outcome === 'created' ? 200 : 404, `${round} ${outcome}`);
        const whole = Buffer.from(await stored.arrayBuffer());
        if (stored.status === 200) assert.ok(whole.equals(Buffer.alloc(bytes, 1 + n)));
        await fetch(`${gateway.url}/v1/objects/${item.key}`, { method: 'DELETE' });
      }
      await request('DELETE', `/${name}`);
      memory.close();
    }
    assert.equal(gateway.workerPid(), pid, 'the worker has died');
    assert.ok(seen.has('buffer-broken') || seen.has('422'), JSON.stringify([...seen]));
  });

  it('gets nothing when it truncates during a get', async () => {
    const bytes = 32 * mebibyte;
    const key = randomUUID();
    const value = randomBytes(bytes);
    await fetch(`${gateway.url}/v1/objects/${key}`, { method: 'PUT', body: value });
    for (let round = 0; round < 20; round++) {
      const memory = sharedMemory(bytes);
      await register('g', memory.key, bytes);
      const transfer = request('POST', '/g/get', { items: [{ key, offset: 0 }] });
      for (let turn = 0; turn < round; turn++) await new Promise(setImmediate);
      memory.truncate(4096);
      const { status, json } = await transfer;
      const item = json.items?.[0];
      assert.ok(status === 422 || item?.status === 422 || item?.status === 200);
      await request('DELETE', '/g');
      memory.close();
    }
    const stored = await fetch(`${gateway.url}/v1/objects/${key}`);
    assert.ok(Buffer.from(await stored.arrayBuffer()).equals(value));
  });

  it('is registered and removed while others use it, and leaves nothing behind', async () => {
    const memory = sharedMemory(mebibyte);
    memory.write(0, Buffer.alloc(mebibyte, 5));
    const stems = ['one', 'two', 'three'];
    const statuses = new Set<number>();
    let isOver = false;
    const transfers = stems.map(async (stem) => {
      for (let n = 0; !isOver; n++) {
        const items = [{ key: `storm/${stem}/${n}`, offset: 0, size: 100_000 }];
        const { status, json } = await request('POST', '/storm/put', { items });
        statuses.add(status);
        if (status === 200) assert.equal(json.items?.[0]?.status, 201);
        await request('POST', '/storm/get', { items: [{ ...items[0], key: items[0]?.key ?? '' }] });
        await fetch(`${gateway.url}/v1/objects/storm/${stem}/${n}`, { method: 'DELETE' });
      }
    });
    const registered = new Set<number>();
    for (let n = 0; n < 60; n++) {
      const body = { shmKey: memory.key, byteSize: mebibyte };
      registered.add((await request('PUT', '/storm', body)).status);
      registered.add((await request('DELETE', '/storm')).status);
    }
    isOver = true;
    await Promise.all(transfers);
    await until(async () => (await request('GET', '/storm')).status === 404);
    assert.ok(
      [...statuses].every((status) => [200, 404, 409].includes(status)),
      [...statuses].join(),
    );
    assert.ok([...registered].every((status) => [200, 201, 202, 204, 404, 409].includes(status)));
    assert.ok(!hasMapped(gateway.workerPid() ?? 0, memory.key));
    assert.equal(await metric(gateway.url, usedBlocks), 0);
    memory.close();
  });
});

describe('a buffer in use', () => {
  const socket = socketFile();
  const { request, refused, register } = buffersOf(`unix:${socket}`);
  const injection = createInjection();
  let gateway: ReadyGateway;
  before(async () => {
    const flags = ['--engine', await injectingLibrary(), '--shared-buffer-copies', 'off'];
    const deadline = ['--deadline-ms', '300'];
    gateway = await startGateway({
      args: [...listening(socket), ...flags, ...deadline],
      env: injection.env,
    });
  });
  after(async () => {
    await gateway.kill();
    injection.dispose();
  });
  const item = () => ({ key: randomUUID(), offset: 0, size: 4096 });

  it('drains: it takes no other transfer, and is gone when the last has ended', async () => {
    const memory = sharedMemory(4096);
    await register('d', memory.key, 4096);
    await injection.set([{ on: ['put', 'batch_put'], delayInsideUs: 1_500_000 }]);
    const transfer = request('POST', '/d/put', { items: [item()] });
    await until(async () => (await request('GET', '/d')).json.inFlight === 1);
    const removed = await request('DELETE', '/d');
    assert.deepEqual([removed.status, removed.json.state], [202, 'draining']);
    await refused(409, 'buffer-draining', 'POST', '/d/get', { items: [] });
    await refused(409, 'buffer-draining', 'PUT', '/d', { shmKey: memory.key, byteSize: 4096 });
    assert.equal((await transfer).json.items?.[0]?.status, 504, 'the deadline is over');
    // The call outlives its deadline, and with it the mapping.
    assert.ok(hasMapped(gateway.workerPid() ?? 0, memory.key));
    assert.equal((await request('GET', '/d')).json.inFlight, 1);
    await until(async () => (await request('GET', '/d')).status === 404);
    assert.ok(!hasMapped(gateway.workerPid() ?? 0, memory.key));
    await injection.clear();
    memory.close();
  });

  it('stays mapped until the engine returns when its client is killed', async () => {
    const memory = sharedMemory(4096);
    await injection.set([{ on: ['put', 'batch_put'], delayInsideUs: 2_500_000 }]);
    const json = { 'Content-Type': 'application/json' };
    const program = `
      const http = require('node:http');
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const ask = (method, path, body) => http.request(
        { socketPath: '${socket}', method, path: '/v1/buffers/k' + path, agent, headers: ${JSON.stringify(json)} })
        .on('error', () => {}).end(JSON.stringify(body));
      ask('PUT', '', { shmKey: '${memory.key}', byteSize: 4096 });
      ask('POST', '/put', { items: [${JSON.stringify(item())}] });`;
    const child = spawn(process.execPath, ['--eval', program], { stdio: 'inherit' });
    await until(async () => (await request('GET', '/k')).json.inFlight === 1);
    child.kill('SIGKILL');
    await until(async () => (await request('GET', '/k')).json.state === 'draining');
    assert.ok(hasMapped(gateway.workerPid() ?? 0, memory.key));
    await until(async () => (await request('GET', '/k')).status === 404);
    assert.ok(!hasMapped(gateway.workerPid() ?? 0, memory.key));
    await injection.clear();
    memory.close();
  });

  it('reports no success of a get or put during which its client truncates it', async () => {
    const memory = sharedMemory(8192);
    await register('x', memory.key, 8192);
    const there = item();
    const stored = await request('POST', '/x/put', { items: [there] });
    assert.equal(stored.json.items?.[0]?.status, 201);
    await injection.set([{ on: ['get', 'batch_get'], delayAfterUs: 200_000 }]);
    const reading = request('POST', '/x/get', { items: [there] });
    await until(async () => (await request('GET', '/x')).json.inFlight === 1);
    memory.truncate(4096);
    const [read] = (await reading).json.items ?? [];
    assert.deepEqual([read?.status, read?.type], [422, '/problems/buffer-broken']);
    memory.truncate(8192);
    await register('x', memory.key, 8192);
    await injection.set([{ on: ['put', 'batch_put'], delayAfterUs: 200_000 }]);
    const items = [item(), { ...item(), size: 100 }];
    const writing = request('POST', '/x/put', { items });
    await until(async () => (await request('GET', '/x')).json.inFlight === 1);
    memory.truncate(4096);
    for (const written of (await writing).json.items ?? []) {
      assert.deepEqual([written.status, written.type], [422, '/problems/buffer-broken']);
      assert.match(written.detail ?? '', /has removed the object again/);
    }
    for (const { key } of items) {
      assert.equal((await fetch(`${gateway.url}/v1/objects/${key}`)).status, 404);
    }
    assert.equal((await request('DELETE', '/x')).status, 204);
    await injection.clear();
    memory.close();
  });

  it('is refused by an engine that does not register it, and leaves no mapping', async () => {
    const memory = sharedMemory(4096);
    await injection.set([{ on: 'register_buffer', code: -1 }]);
    const body = { shmKey: memory.key, byteSize: 4096 };
    const detail = await refused(422, 'buffer-refused', 'PUT', '/e', body);
    assert.match(detail, /engine refused the memory: MMC_ERROR \(-1\)/);
    await until(() => !hasMapped(gateway.workerPid() ?? 0, memory.key));
    await refused(404, 'buffer-not-found', 'GET', '/e');
    await injection.clear();
    await register('e', memory.key, 4096);
    await request('DELETE', '/e');
    memory.close();
  });

  it('survives the death of its worker in the middle of a transfer', async () => {
    const memory = sharedMemory(4096);
    await register('w', memory.key, 4096);
    await injection.set([{ on: ['put', 'batch_put'], delayInsideUs: 5_000_000 }]);
    const worker = gateway.workerPid() ?? 0;
    const transfer = request('POST', '/w/put', { items: [item()] }).catch(() => undefined);
    await until(async () => (await request('GET', '/w')).json.inFlight === 1);
    await injection.clear();
    process.kill(worker, 'SIGKILL');
    await transfer;
    await until(async () => {
      const { json } = await request('GET', '/w').catch((): { json: { inFlight?: number } } => ({
        json: {},
      }));
      return json.inFlight === 0 && gateway.workerPid() !== worker;
    });
    const stored = await request('POST', '/w/put', { items: [item()] });
    assert.equal(stored.json.items?.[0]?.status, 201);
    assert.equal((await request('DELETE', '/w')).status, 204);
    memory.close();
  });
});
