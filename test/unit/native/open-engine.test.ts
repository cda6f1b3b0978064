import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { EngineClosedError, EngineLoadError } from '../../../src/native/abi/errors.ts';
import type { EngineOperation } from '../../../src/native/abi/types.ts';
import { openEngine } from '../../../src/native/open-engine.ts';
import {
  blockOf,
  emptyBlock,
  once,
  openTestEngine,
  type TestClient,
} from '../../helpers/engine/native.ts';

describe('openEngine', () => {
  const good = {
    engine: 'embedded',
    device: 0,
    arenaBytes: 65_536,
    callSlots: 2,
    deadlineMs: 1000,
    initDeadlineMs: 1000,
    slowReadMs: 1500,
  };
  const faults: [string, Partial<typeof good>][] = [
    ['device', { device: -1 }],
    ['device', { device: 384 }],
    ['device', { device: 0.5 }],
    ['arenaBytes', { arenaBytes: 4095 }],
    ['arenaBytes', { arenaBytes: 2 ** 40 + 1 }],
    ['callSlots', { callSlots: 0 }],
    ['callSlots', { callSlots: 31 }],
    ['deadlineMs', { deadlineMs: 0 }],
    ['deadlineMs', { deadlineMs: Number.NaN }],
    ['slowReadMs', { slowReadMs: 0 }],
    ['slowReadMs', { slowReadMs: 3_600_001 }],
    ['initDeadlineMs', { initDeadlineMs: 0 }],
    ['initDeadlineMs', { initDeadlineMs: 2 ** 31 }],
  ];
  for (const [name, fault] of faults) {
    it(`refuses ${JSON.stringify(fault)} before it loads anything`, async () => {
      await assert.rejects(openEngine({ ...good, ...fault }), (error: unknown) => {
        assert.ok(error instanceof RangeError);
        assert.match(error.message, new RegExp(`^${name} `));
        return true;
      });
    });
  }

  it('opens at the limits of its options, one client at a time, and again after close', async () => {
    const first = await openTestEngine({ device: 383, arenaBytes: 4096, callSlots: 30 });
    assert.equal(first.calls().slots, 30);
    assert.equal(first.engine.device, 383);
    await assert.rejects(openTestEngine(), EngineLoadError);
    assert.equal(await first.close(1000), true);
    assert.equal(await first.close(1000), true, 'closing twice is harmless');
    const second = await openTestEngine({ callSlots: 1 });
    assert.equal(second.calls().slots, 1);
    assert.equal(second.engine.embedded, true);
    assert.equal(await second.close(1000), true);
  });

  it('can be retried after a failure', async () => {
    await assert.rejects(openTestEngine({ engine: '/nowhere.so' }), EngineLoadError);
    const client = await openTestEngine();
    assert.equal(await client.close(1000), true);
  });

  it('opens with an arena that ends in the page after 4 GiB, and uses no memory before an allocation', async () => {
    const arenaBytes = 2 ** 32 - 2048;
    // Poisoning would touch every page.
    const client = await openTestEngine({ arenaBytes, debugArena: false });
    assert.equal(client.arena.totalBytes, arenaBytes);
    const all = client.arena.tryAllocate(arenaBytes);
    assert.ok(all !== undefined);
    await client.probe(1000);
    all.release();
    assert.ok(process.memoryUsage.rss() < 512 * 1024 * 1024);
    await client.close(1000);
  });

  it('has one block of exactly 4 GiB, and passes its full length to the engine', async () => {
    const most = 2 ** 32;
    const client = await openTestEngine({ arenaBytes: most, debugArena: false });
    const block = client.arena.tryAllocate(most);
    assert.ok(block !== undefined);
    assert.equal(block.view.length, most);
    // A pool of 1 GiB cannot hold it. A length truncated to 32 bits would be 0, which fits.
    assert.equal(await client.put('largest', block, most, once), -1);
    assert.equal(client.engine.sync?.put('largest', block, most, once), -1);
    assert.equal(await client.exist('largest'), -3102);
    assert.equal(await client.get('largest', block, most), -1);
    await assert.rejects(client.put('larger', block, most + 1, once), RangeError);
    block.release();
    await client.close(1000);
  });

  it('poisons released blocks if GATEWAY_DEBUG_ARENA is 1', async () => {
    const saved = process.env['GATEWAY_DEBUG_ARENA'];
    for (const [value, first] of [
      ['1', 0xdb],
      ['0', 1],
    ] as const) {
      process.env['GATEWAY_DEBUG_ARENA'] = value;
      const client = await openTestEngine({ ...good, debugArena: undefined as never });
      const block = emptyBlock(client, 64);
      const { view } = block;
      view.fill(1);
      block.release();
      assert.equal(view[0], first);
      await client.close(1000);
    }
    if (saved === undefined) delete process.env['GATEWAY_DEBUG_ARENA'];
    else process.env['GATEWAY_DEBUG_ARENA'] = saved;
  });

  it('warns if libuv has fewer threads than the calls need', async () => {
    const warnings: string[] = [];
    const client = await openTestEngine({
      callSlots: 30,
      onWarning: (text) => warnings.push(text),
    });
    assert.match(warnings.join(), /UV_THREADPOOL_SIZE .* 34 before the process starts/);
    await client.close(1000);
  });
});

describe('the client, on the embedded engine', () => {
  let client: TestClient;
  before(async () => {
    client = await openTestEngine();
  });
  after(() => client.close(5000));

  it('puts, queries, gets and removes an object, byte for byte', async () => {
    const bytes = randomBytes(100_003);
    const block = blockOf(client, bytes);
    assert.equal(await client.put('a/ü', block, bytes.length, once), 0);
    assert.equal(await client.put('a/ü', block, bytes.length, once), -3006);
    assert.equal(await client.exist('a/ü'), 0);
    assert.deepEqual(await client.query('a/ü'), {
      code: 0,
      info: {
        valid: true,
        size: bytes.length,
        replicas: [{ serviceId: client.engine.serviceId, medium: 'DRAM' }],
      },
    });
    block.view.fill(0);
    assert.equal(await client.get('a/ü', block, bytes.length), 0);
    assert.ok(block.view.equals(bytes));
    assert.equal(await client.remove('a/ü'), 0);
    assert.equal(await client.remove('a/ü'), -3102);
    assert.equal(await client.exist('a/ü'), -3102);
    assert.deepEqual((await client.query('a/ü')).info, { valid: false, size: 0, replicas: [] });
    assert.equal(await client.get('a/ü', block, bytes.length), -1);
    block.release();
  });

  it('moves only the given number of bytes of a block', async () => {
    const block = blockOf(client, Buffer.from('abcdef'));
    assert.equal(await client.put('part', block, 3, once), 0);
    block.view.fill('z');
    assert.equal(await client.get('part', block, 3), 0);
    assert.equal(block.view.toString(), 'abczzz');
    for (const length of [0, 7, 1.5, -1]) {
      await assert.rejects(client.get('part', block, length), RangeError);
      await assert.rejects(client.put('other', block, length, once), RangeError);
    }
    await client.remove('part');
    block.release();
  });

  it('returns −3000 for keys and options that cannot be sent, and for keys that the engine refuses', async () => {
    const block = emptyBlock(client, 8);
    for (const key of ['', 'a\0b', '\ud800', 'x'.repeat(257), '键'.repeat(300)]) {
      const codes = [
        await client.put(key, block, 8, once),
        await client.get(key, block, 8),
        (await client.query(key)).code,
        await client.exist(key),
        await client.remove(key),
      ];
      assert.deepEqual(codes, [-3000, -3000, -3000, -3000, -3000], JSON.stringify(key));
    }
    assert.equal(await client.put('k', block, 8, { replicas: -1, prefer: [] }), -3000);
    assert.equal(await client.put('k', block, 8, { replicas: 1, prefer: [-1] }), -3000);
    assert.equal(
      await client.put('k', block, 8, { replicas: 2, prefer: [] }),
      -1,
      'one service only',
    );
    assert.equal(await client.put('k', block, 8, { replicas: 1, prefer: [99] }), -1);
    block.release();
  });

  it('processes many keys at once, with a code for each', async () => {
    const values = Array.from({ length: 50 }, (_, i) => randomBytes(1 + i * 37));
    const keys = values.map((_, i) => `batch/${i}`);
    const blocks = values.map((value) => blockOf(client, value));
    const put = await client.batchPut(keys, blocks, once);
    assert.deepEqual(
      [...put],
      values.map(() => 0),
    );
    assert.deepEqual(
      [...(await client.batchPut(keys, blocks, once))],
      values.map(() => -3006),
    );
    for (const block of blocks) block.view.fill(0);
    const read = await client.batchGet(['missing', ...keys], [blocks[1] as never, ...blocks]);
    assert.deepEqual([...read], [-1, ...values.map(() => 0)]);
    assert.ok(blocks.every((block, i) => block.view.equals(values[i] as Buffer)));
    const { infos } = await client.batchQuery(['batch/7', 'missing', 'batch/49']);
    assert.deepEqual(
      infos.map(({ valid, size }) => [valid, size]),
      [
        [true, 260],
        [false, 0],
        [true, 1814],
      ],
    );
    const exist = await client.batchExist(['batch/0', 'missing', 'x'.repeat(300)]);
    assert.deepEqual([...exist], [0, -3102, -3000]);
    const removed = await client.batchRemove([...keys, 'missing']);
    assert.deepEqual([...removed], [...keys.map(() => 0), -3102]);
    for (const block of blocks) block.release();
  });

  it('passes 16,384 keys in a batch; the engine refuses more, and none', async () => {
    const keys = Array.from({ length: 16_386 }, (_, i) => `none/${i}`);
    const most = await client.batchExist(keys.slice(0, 16_384));
    assert.ok(most.every((code) => code === -3102));
    for (const count of [0, 16_385, 16_386]) {
      const codes = await client.batchExist(keys.slice(0, count));
      assert.equal(codes.length, count);
      assert.ok(codes.every((item) => item === -3000));
      const { codes: queried } = await client.batchQuery(keys.slice(0, count));
      assert.ok(queried.every((item) => item === -3000));
    }
  });

  it('fails a whole batch if one of its keys cannot be sent', async () => {
    assert.deepEqual([...(await client.batchExist(['a', 'b\0c']))], [-3000, -3000]);
    const { infos } = await client.batchQuery(['a', '\udfff']);
    assert.deepEqual(
      infos.map(({ valid }) => valid),
      [false, false],
    );
  });

  it('refuses another number of blocks than keys, and does not change the blocks', async () => {
    const block = emptyBlock(client, 8);
    await assert.rejects(client.batchGet(['a', 'b'], [block]), RangeError);
    await assert.rejects(client.batchPut(['a'], [block, block], once), RangeError);
    block.release();
    assert.equal(client.arena.stats().blocks, 0);
  });

  it('finishes far more calls than slots', async () => {
    const block = blockOf(client, randomBytes(1000));
    const codes = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const own = emptyBlock(client, 1000);
        own.view.set(block.view);
        own.view.writeUInt32LE(i);
        const key = `many/${i}`;
        const put = await client.put(key, own, 1000, once);
        own.view.fill(0);
        const code = await client.get(key, own, 1000);
        const same =
          own.view.readUInt32LE() === i && own.view.subarray(4).equals(block.view.subarray(4));
        own.release();
        return [put, code, same, await client.remove(key)].join();
      }),
    );
    assert.deepEqual(new Set(codes), new Set(['0,0,true,0']));
    assert.deepEqual(client.calls(), { slots: 4, inFlight: 0, late: 0, queued: 0 });
    block.release();
  });

  it('makes synchronous calls with the same results', () => {
    const { sync } = client.engine;
    assert.ok(sync !== undefined);
    const bytes = randomBytes(3000);
    const block = blockOf(client, bytes);
    assert.equal(sync.query('s'), 0);
    assert.deepEqual(sync.info, { valid: false, size: 0, replicas: [] });
    assert.equal(sync.get('s', block, 3000), -1);
    block.view.set(bytes);
    assert.equal(sync.put('s', block, 3000, once), 0);
    assert.equal(sync.put('s', block, 3000, once), -3006);
    assert.equal(sync.exist('s'), 0);
    assert.equal(sync.query('s'), 0);
    assert.deepEqual(sync.info, { valid: true, size: 3000, replicas: [] });
    assert.equal(sync.queryFull('s'), 0);
    const replicas = [{ serviceId: client.engine.serviceId, medium: 'DRAM' }];
    assert.deepEqual(sync.info, { valid: true, size: 3000, replicas });
    block.view.fill(0);
    assert.equal(sync.get('s', block, 3000), 0);
    assert.ok(block.view.equals(bytes));
    assert.equal(sync.get('s', block, 2999), -1);
    assert.equal(sync.remove('s'), 0);
    assert.equal(sync.remove('s'), -3102);
    assert.equal(sync.exist('s'), -3102);
    for (const key of ['', 'a\0b', '\ud800', 'x'.repeat(257)]) {
      assert.equal(sync.query(key), -3000);
      assert.equal(sync.info.valid, false);
      assert.equal(sync.get(key, block, 8), -3000);
      assert.equal(sync.put(key, block, 8, once), -3000);
    }
    assert.throws(() => sync.get('s', block, 3001), RangeError);
    assert.throws(() => sync.put('s', block, 0, once), RangeError);
    block.release();
  });

  for (const length of [1, 2, 7, 8, 15, 16, 17, 24, 63, 64, 65, 4096]) {
    it(`reads values of ${length} bytes correctly, and never distrusts them`, () => {
      const { sync } = client.engine;
      assert.ok(sync !== undefined);
      const block = emptyBlock(client, length);
      for (let round = 0; round < 600; round++) {
        const bytes = randomBytes(length);
        block.view.set(bytes);
        assert.equal(sync.put('v', block, length, once), 0);
        block.view.fill(0);
        assert.equal(sync.get('v', block, length), 0);
        assert.ok(block.view.equals(bytes));
        assert.equal(sync.remove('v'), 0);
      }
      block.release();
    });
  }

  it('reports each call to onCall, including synchronous ones, with code and time', async () => {
    const calls: [EngineOperation, number][] = [];
    client.engine.onCall = (operation, code, elapsedMs) => {
      assert.ok(elapsedMs >= 0 && elapsedMs < 10_000);
      calls.push([operation, code]);
    };
    const block = emptyBlock(client, 100);
    await client.put('o', block, 100, once);
    await client.get('o', block, 100);
    await client.get('none', block, 100);
    await client.query('o');
    await client.exist('none');
    await client.batchGet(['o', 'none'], [block, block]);
    await client.batchPut(['o', 'p'], [block, block], once);
    await client.batchExist(['o']);
    await client.batchQuery(['o']);
    await client.batchRemove(['o', 'p']);
    client.engine.sync?.put('q', block, 50, once);
    client.engine.sync?.get('q', block, 50);
    client.engine.sync?.query('q');
    client.engine.sync?.exist('q');
    client.engine.sync?.remove('q');
    client.engine.onCall = undefined;
    client.engine.sync?.exist('q');
    await client.exist('q');
    block.release();
    assert.deepEqual(calls, [
      ['put', 0],
      ['get', 0],
      ['get', -1],
      ['query', 0],
      ['exist', -3102],
      ['batch_get', 0],
      ['batch_put', 0],
      ['batch_exist', 0],
      ['batch_query', 0],
      ['batch_remove', 0],
      ['put', 0],
      ['get', 0],
      ['query', 0],
      ['exist', 0],
      ['remove', 0],
    ]);
  });

  it('runs probes without slots or memory of others, once for all concurrent requests', async () => {
    const all = client.arena.tryAllocate(client.arena.maxBlockBytes);
    assert.ok(all !== undefined, 'the probe has no block of the arena');
    let puts = 0;
    client.engine.onCall = (operation) => {
      if (operation === 'put') puts++;
    };
    await Promise.all([client.probe(1000), client.probe(1000), client.probe(1000)]);
    assert.equal(puts, 1);
    await client.probe(1000);
    assert.equal(puts, 2);
    client.engine.onCall = undefined;
    all.release();
  });
});

describe('a closed client', () => {
  it('rejects every asynchronous call, returns −3019 from synchronous ones, and releases the blocks', async () => {
    const client = await openTestEngine();
    const block = emptyBlock(client, 8);
    const { sync } = client.engine;
    assert.ok(sync !== undefined);
    sync.put('a', block, 8, once);
    await client.close(1000);
    const calls = [
      client.get('a', block, 8),
      client.put('b', block, 8, once),
      client.query('a'),
      client.exist('a'),
      client.remove('a'),
      client.batchGet(['a'], [block]),
      client.batchPut(['b'], [block], once),
      client.batchQuery(['a']),
      client.batchExist(['a']),
      client.batchRemove(['a']),
      client.probe(1000),
    ];
    for (const call of calls) await assert.rejects(call, EngineClosedError);
    const codes = [
      sync.get('a', block, 8),
      sync.put('b', block, 8, once),
      sync.query('a'),
      sync.queryFull('a'),
      sync.exist('a'),
      sync.remove('a'),
    ];
    assert.deepEqual(new Set(codes), new Set([-3019]));
    assert.equal(sync.info.valid, false);
    block.release();
    assert.equal(client.arena.stats().blocks, 0);
  });
});
