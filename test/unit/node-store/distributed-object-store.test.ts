import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import {
  ArenaFullError,
  DistributedObjectStore,
  EngineClosedError,
  EngineLoadError,
  KeyInfo,
  MmcCopyDirect,
  MmcError,
  ReplicateConfig,
} from '../../../src/node-store/python-api.ts';

const ARENA_BYTES = 1024 * 1024;
const { SMEMB_COPY_G2H, SMEMB_COPY_G2L, SMEMB_COPY_H2G, SMEMB_COPY_L2G } = MmcCopyDirect;

function withCode(code: number, operation: string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof MmcError, String(error));
    assert.deepEqual([error.errno, error.operation], [code, operation]);
    return true;
  };
}

function newStore(deadlineMs = 10_000): DistributedObjectStore {
  return new DistributedObjectStore({ arenaBytes: ARENA_BYTES, debugArena: true, deadlineMs });
}

describe('DistributedObjectStore', () => {
  const store = newStore();
  before(() => store.init(0));
  after(() => store.close());

  it('is the client of device 0 with a service id, and does not change if initialised again', async () => {
    assert.equal(await store.getLocalServiceId(), 0);
    await store.init(1);
    assert.equal(await store.getLocalServiceId(), 0);
    await assert.rejects(newStore().init(0), EngineLoadError);
  });

  it('stores a copy and returns a copy', async () => {
    const value = randomBytes(5000);
    const source = Buffer.from(value);
    await store.put('copy', source);
    source.fill(0);
    const first = await store.get('copy');
    assert.ok(first.equals(value));
    first.fill(0);
    assert.ok((await store.get('copy')).equals(value));
    await store.remove('copy');
  });

  it('rejects with the engine’s code where Python returns it, or an empty value', async () => {
    await store.put('once', Buffer.from('a'));
    await assert.rejects(store.put('once', Buffer.from('b')), withCode(-3006, 'put'));
    await assert.rejects(store.get('none'), withCode(-3102, 'get'));
    await assert.rejects(store.remove('none'), withCode(-3102, 'remove'));
    await assert.rejects(store.getKeyInfo('none'), withCode(-3102, 'getKeyInfo'));
    await assert.rejects(store.getInto('none', Buffer.alloc(1)), withCode(-1, 'getInto'));
    await assert.rejects(store.getInto('once', Buffer.alloc(2)), withCode(-1, 'getInto'));
    await store.remove('once');
  });

  it('accepts any Uint8Array, including small ones and parts of larger ones', async () => {
    const whole = Uint8Array.from({ length: 100 }, (_, i) => i);
    for (const bytes of [whole, whole.subarray(10, 13), new Uint8Array([7]), Buffer.from('x')]) {
      await store.put('any', bytes);
      assert.deepEqual([...(await store.get('any'))], [...bytes]);
      const target = new Uint8Array(bytes.length);
      await store.getInto('any', target);
      assert.deepEqual(target, Uint8Array.from(bytes));
      await store.remove('any');
    }
  });

  it('uses blocks of its arena in place', async () => {
    const value = randomBytes(1000);
    const block = await store.arena.allocate(1000, { deadlineMs: 1000 });
    block.view.set(value);
    await store.putFrom('block', block);
    block.view.fill(0);
    await store.getInto('block', block);
    assert.ok(block.view.equals(value));
    const other = await store.arena.allocate(ARENA_BYTES / 2, { deadlineMs: 1000 });
    const rest = await store.arena.allocate(ARENA_BYTES / 4, { deadlineMs: 1000 });
    await store.getInto('block', block);
    for (const each of [block, other, rest]) each.release();
    await store.remove('block');
    assert.equal(store.arena.stats().blocks, 0);
  });

  it('needs no arena memory for bytes of a registered buffer', async () => {
    const buffer = Buffer.alloc(3 * ARENA_BYTES, 'r');
    await assert.rejects(store.putFrom('large', buffer), RangeError);
    await store.registerBuffer(buffer);
    await store.putFrom('large', buffer);
    buffer.fill(0);
    await store.getInto('large', buffer);
    assert.ok(buffer.every((byte) => byte === 0x72));
    await store.putFrom('inner', buffer.subarray(5, 7));
    assert.equal(String(await store.get('inner')), 'rr');
    await store.unregisterBuffer(buffer);
    await assert.rejects(store.getInto('large', buffer), RangeError);
    await store.unregisterBuffer(buffer);
    assert.deepEqual(await store.removeBatch(['large', 'inner']), [0, 0]);
  });

  it('registers a region once, and none that overlaps it', async () => {
    const buffer = Buffer.alloc(10_000);
    await store.registerBuffer(buffer);
    await store.registerBuffer(buffer);
    const inner = store.registerBuffer(buffer.subarray(100, 200));
    await assert.rejects(inner, withCode(-1, 'registerBuffer'));
    await store.unregisterBuffer(buffer);
    await assert.rejects(store.registerBuffer(new Uint8Array(0)), TypeError);
    const resizable = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]) as ArrayBuffer;
    await assert.rejects(store.registerBuffer(new Uint8Array(resizable)), TypeError);
  });

  it('puts and gets batches, a code for each key', async () => {
    const values = Array.from({ length: 40 }, (_, i) => randomBytes(1 + i * 100));
    const keys = values.map((_, i) => `many/${i}`);
    assert.deepEqual(
      await store.batchPutFrom(keys, values),
      values.map(() => 0),
    );
    assert.deepEqual(
      await store.batchPutFrom(['many/0', 'more'], [values[0] as Buffer, Buffer.from('m')]),
      [-3006, 0],
    );
    const targets = values.map(({ length }) => Buffer.alloc(length));
    assert.deepEqual(
      await store.batchGetInto(keys, targets),
      values.map(() => 0),
    );
    assert.ok(targets.every((target, i) => target.equals(values[i] as Buffer)));
    const wrong = Buffer.alloc(9, 'w');
    assert.deepEqual(
      await store.batchGetInto(['many/1', 'none', 'more'], [wrong, wrong, Buffer.alloc(1)]),
      [-1, -1, 0],
    );
    assert.equal(String(wrong), 'wwwwwwwww', 'a failed read leaves its target alone');
    assert.deepEqual(await store.batchIsExist(['many/3', 'none', 'more']), [1, 0, 1]);
    const infos = await store.batchGetKeyInfo(['many/3', 'none']);
    assert.deepEqual(
      infos.map((info) => info?.size()),
      [301, undefined],
    );
    const removed = await store.removeBatch([...keys, 'more', 'none']);
    assert.deepEqual(removed, [...keys.map(() => 0), 0, -3102]);
  });

  it('splits a batch that is larger than the arena', async () => {
    const values = Array.from({ length: 24 }, () => randomBytes(ARENA_BYTES / 6));
    const keys = values.map((_, i) => `part/${i}`);
    assert.deepEqual(
      await store.batchPutFrom(keys, values),
      values.map(() => 0),
    );
    const targets = values.map(({ length }) => Buffer.alloc(length));
    assert.deepEqual(
      await store.batchGetInto(keys, targets),
      values.map(() => 0),
    );
    assert.ok(targets.every((target, i) => target.equals(values[i] as Buffer)));
    await store.removeBatch(keys);
  });

  it('accepts more keys than the engine does in one call', async () => {
    const keys = Array.from({ length: 16_400 }, (_, i) => `lot/${i}`);
    const value = Buffer.from('v');
    const codes = await store.batchPutFrom(
      keys,
      keys.map(() => value),
    );
    assert.deepEqual([codes.length, new Set(codes)], [keys.length, new Set([0])]);
    assert.deepEqual(new Set(await store.batchIsExist(keys)), new Set([1]));
    assert.equal(
      (await store.batchGetKeyInfo(keys)).filter((info) => info?.size() === 1).length,
      16_400,
    );
    assert.deepEqual(new Set(await store.removeBatch(keys)), new Set([0]));
  });

  it('returns −3000 or −3013 for items that the engine must not get, and processes the others', async () => {
    const value = Buffer.from('v');
    const huge = Buffer.alloc(ARENA_BYTES + 1);
    const keys = ['', 'x'.repeat(256), 'a\0', '\ud800', 'good', 'empty', 'huge'];
    const values = [value, value, value, value, value, Buffer.alloc(0), huge];
    const codes = [-3000, -3000, -3000, -3000, 0, -3000, -3013];
    assert.deepEqual(await store.batchPutFrom(keys, values), codes);
    const some = ['x'.repeat(256), 'good', ''];
    assert.deepEqual(await store.batchIsExist(some), [-3000, 1, -3000]);
    assert.deepEqual(
      (await store.batchGetKeyInfo(some)).map((info) => info?.size()),
      [undefined, 1, undefined],
    );
    assert.equal(inspect(await store.getKeyInfo('good')), 'KeyInfo(size=1, replicas=[0:DRAM])');
    assert.deepEqual(await store.removeBatch(some), [-3000, 0, -3000]);
    for (const key of keys.slice(0, 4)) {
      await assert.rejects(store.put(key, value), withCode(-3000, 'put'));
      await assert.rejects(store.get(key), withCode(-3000, 'get'));
      await assert.rejects(store.isExist(key), withCode(-3000, 'isExist'));
      await assert.rejects(store.remove(key), withCode(-3000, 'remove'));
    }
    await assert.rejects(store.put('empty', Buffer.alloc(0)), withCode(-3000, 'put'));
    await assert.rejects(store.putFromLayers('empty', []), withCode(-3000, 'putFromLayers'));
    await assert.rejects(store.getInto('a', Buffer.alloc(0)), withCode(-3000, 'getInto'));
    await assert.rejects(store.batchPutFrom(['a'], [value, value]), RangeError);
    assert.deepEqual(await store.batchPutFrom([], []), []);
    assert.deepEqual(await store.batchIsExist([]), []);
  });

  it('accepts keys of 1 and of 255 bytes', async () => {
    for (const key of ['k', 'k'.repeat(255), '键'.repeat(85)]) {
      await store.put(key, Buffer.from(key));
      assert.equal(String(await store.get(key)), key);
      assert.equal(await store.isExist(key), true);
      await store.remove(key);
      assert.equal(await store.isExist(key), false);
    }
  });

  it('stores layers in sequence, and cuts the object into layers of any sizes', async () => {
    const layers = [randomBytes(131), randomBytes(1), randomBytes(70_000)];
    await store.putFromLayers('layers', layers);
    const whole = Buffer.concat(layers);
    assert.ok((await store.get('layers')).equals(whole));
    const others = [Buffer.alloc(70_000), Buffer.alloc(132)];
    await store.getIntoLayers('layers', others);
    assert.ok(Buffer.concat(others).equals(whole));
    const short = store.getIntoLayers('layers', [Buffer.alloc(131), Buffer.alloc(1)]);
    await assert.rejects(short, withCode(-1, 'getIntoLayers'));
    const block = await store.arena.allocate(70_000, { deadlineMs: 1000 });
    await store.getIntoLayers('layers', [Buffer.alloc(132), block]);
    assert.ok(block.view.equals(layers[2] as Buffer));
    await store.putFromLayers('again', [Buffer.from('head'), block]);
    assert.equal((await store.getKeyInfo('again')).size(), 70_004);
    block.release();
    await store.removeBatch(['layers', 'again']);
  });

  it('puts and gets batches of layers', async () => {
    const objects = [
      [Buffer.from('a'), Buffer.from('bc')],
      [Buffer.from('def')],
      [Buffer.from('g'), Buffer.from('h'), Buffer.from('i')],
    ];
    const keys = ['one', 'two', 'three'];
    assert.deepEqual(await store.batchPutFromLayers(keys, objects), [0, 0, 0]);
    const targets = objects.map((layers) => layers.map(({ length }) => Buffer.alloc(length)));
    assert.deepEqual(await store.batchGetIntoLayers(keys, targets), [0, 0, 0]);
    assert.deepEqual(
      targets.map((layers) => layers.join('')),
      ['abc', 'def', 'ghi'],
    );
    const missing = await store.batchGetIntoLayers(
      ['one', 'none'],
      [[Buffer.alloc(3)], [Buffer.alloc(3)]],
    );
    assert.deepEqual(missing, [0, -1]);
    await store.removeBatch(keys);
  });

  it('returns size and location of an object', async () => {
    await store.put('info', Buffer.alloc(77));
    const info = await store.getKeyInfo('info');
    assert.ok(info instanceof KeyInfo);
    assert.deepEqual([info.size(), info.locList(), info.typeList()], [77, [0], [1]]);
    assert.equal(String(info), 'KeyInfo(size=77, replicas=[0:DRAM])');
    await store.remove('info');
  });

  it('passes the replication on: 0 counts as 1, an impossible placement is −1, an invalid one −3000', async () => {
    const value = Buffer.from('v');
    await store.put('r', value, new ReplicateConfig({ replicaNum: 0 }));
    await store.remove('r');
    await store.put('r', value, { replicaNum: 1, preferredLocalServiceIDs: [0] });
    await store.remove('r');
    await assert.rejects(store.put('r', value, { replicaNum: 2 }), withCode(-1, 'put'));
    const absent = { replicaNum: 1, preferredLocalServiceIDs: [5] };
    await assert.rejects(
      store.putFrom('r', value, SMEMB_COPY_H2G, absent),
      withCode(-1, 'putFrom'),
    );
    assert.deepEqual(await store.batchPutFrom(['r'], [value], SMEMB_COPY_H2G, absent), [-1]);
    for (const nonsense of [
      { replicaNum: 9 },
      { replicaNum: -1 },
      { replicaNum: 1.5 },
      { replicaNum: 1, preferredLocalServiceIDs: [0, 1] },
      { replicaNum: 2, preferredLocalServiceIDs: [1, 1] },
      { replicaNum: 2, preferredLocalServiceIDs: [-1] },
    ]) {
      await assert.rejects(store.put('r', value, nonsense), withCode(-3000, 'put'));
    }
  });

  it('copies only from and to host memory', async () => {
    const value = Buffer.from('v');
    const wrong = [SMEMB_COPY_L2G, SMEMB_COPY_G2L, SMEMB_COPY_G2H] as const;
    for (const direct of wrong) {
      await assert.rejects(store.putFrom('d', value, direct), withCode(-3000, 'putFrom'));
      await assert.rejects(
        store.putFromLayers('d', [value], direct),
        withCode(-3000, 'putFromLayers'),
      );
      await assert.rejects(
        store.batchPutFrom(['d'], [value], direct),
        withCode(-3000, 'batchPutFrom'),
      );
      await assert.rejects(
        store.batchPutFromLayers(['d'], [[value]], direct),
        withCode(-3000, 'batchPutFromLayers'),
      );
    }
    for (const direct of [SMEMB_COPY_L2G, SMEMB_COPY_G2L, SMEMB_COPY_H2G] as const) {
      await assert.rejects(store.getInto('d', value, direct), withCode(-3000, 'getInto'));
      await assert.rejects(
        store.getIntoLayers('d', [value], direct),
        withCode(-3000, 'getIntoLayers'),
      );
      await assert.rejects(
        store.batchGetInto(['d'], [value], direct),
        withCode(-3000, 'batchGetInto'),
      );
      await assert.rejects(
        store.batchGetIntoLayers(['d'], [[value]], direct),
        withCode(-3000, 'batchGetIntoLayers'),
      );
    }
  });

  it('waits for memory in the arena, and releases all of it', async () => {
    const all = await store.arena.allocate(ARENA_BYTES, { deadlineMs: 1000 });
    const waiting = store.put('waits', Buffer.from('v'));
    assert.equal(store.arena.stats().waiters, 1);
    all.release();
    await waiting;
    await store.remove('waits');
    assert.deepEqual(store.arena.stats(), {
      totalBytes: ARENA_BYTES,
      usedBytes: 0,
      blocks: 0,
      waiters: 0,
      waitingBytes: 0,
    });
  });
});

describe('a store without memory', () => {
  it('rejects with ArenaFullError after its deadline', async () => {
    const store = newStore(500);
    await store.init(0);
    const all = await store.arena.allocate(ARENA_BYTES, { deadlineMs: 1000 });
    await assert.rejects(store.put('a', Buffer.from('v')), ArenaFullError);
    all.release();
    await store.close();
  });
});

describe('a store that is not open', () => {
  const value = Buffer.from('v');
  const calls: [string, (store: DistributedObjectStore) => Promise<unknown>][] = [
    ['getLocalServiceId', (store) => store.getLocalServiceId()],
    ['put', (store) => store.put('a', value)],
    ['putFrom', (store) => store.putFrom('a', value)],
    ['batchPutFrom', (store) => store.batchPutFrom(['a'], [value])],
    ['putFromLayers', (store) => store.putFromLayers('a', [value])],
    ['batchPutFromLayers', (store) => store.batchPutFromLayers(['a'], [[value]])],
    ['get', (store) => store.get('a')],
    ['getInto', (store) => store.getInto('a', value)],
    ['batchGetInto', (store) => store.batchGetInto(['a'], [value])],
    ['getIntoLayers', (store) => store.getIntoLayers('a', [value])],
    ['batchGetIntoLayers', (store) => store.batchGetIntoLayers(['a'], [[value]])],
    ['remove', (store) => store.remove('a')],
    ['removeBatch', (store) => store.removeBatch(['a'])],
    ['isExist', (store) => store.isExist('a')],
    ['batchIsExist', (store) => store.batchIsExist(['a'])],
    ['getKeyInfo', (store) => store.getKeyInfo('a')],
    ['batchGetKeyInfo', (store) => store.batchGetKeyInfo(['a'])],
    ['registerBuffer', (store) => store.registerBuffer(value)],
    ['unregisterBuffer', (store) => store.unregisterBuffer(value)],
  ];
  const fresh = newStore();
  const closed = newStore();
  before(async () => {
    await closed.init(0);
    await closed.close();
  });
  for (const [name, call] of calls) {
    it(`rejects ${name}`, async () => {
      await assert.rejects(call(fresh), EngineClosedError);
      await assert.rejects(call(closed), EngineClosedError);
    });
  }

  it('covers every method of the class', () => {
    const methods = Object.getOwnPropertyNames(DistributedObjectStore.prototype);
    const others = ['constructor', 'init', 'close', 'arena'];
    assert.deepEqual(new Set(methods), new Set([...others, ...calls.map(([name]) => name)]));
    assert.throws(() => closed.arena, EngineClosedError);
  });

  it('can be closed again, and opened again', async () => {
    await closed.close();
    await Promise.all([closed.init(0), closed.init(0)]);
    assert.equal(await closed.isExist('a'), false);
    await closed.close();
    await assert.rejects(newStore().init(384), RangeError);
  });

  it('waits until it is open before it closes', async () => {
    const opening = fresh.init(0);
    await Promise.all([opening, fresh.close()]);
    await assert.rejects(fresh.isExist('a'), EngineClosedError);
  });
});
