/** A pool that fills up: no space, released space, eviction (docs/engine-facts.md §4). */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { newPool, openClient, withOwnPool } from '../helpers/engine/conformance.ts';
import type { EngineCalls } from '../helpers/engine/engine-calls.ts';
import type { Value } from '../helpers/engine/engine-structs.ts';
import { until } from '../helpers/process/until.ts';

const blockBytes = 2 ** 18;
const blocks = 64;

const sized = (count: number, fill = 1): Value => ({ length: count * blockBytes, fill });

describe('a pool of one service', { skip: withOwnPool }, () => {
  let engine: EngineCalls;
  before(() => {
    engine = openClient(newPool(blocks * blockBytes));
  });
  // The last client removes the pool: every test begins with an empty one.
  beforeEach(async () => assert.equal(await engine.init(), 0));
  afterEach(() => engine.uninit());
  after(() => engine.uninit());

  const holds = async (key: string, count: number, fill: number) =>
    assert.deepEqual(await engine.check(key, count * blockBytes, fill), { code: 0, same: true });

  /** Keys whose query finds an object; a query does not mark objects as recently used. */
  const present = async (keys: readonly string[]) => {
    const { infos } = await engine.batchQuery(keys);
    return keys.filter((_, i) => infos[i]?.valid);
  };

  it('refuses a value larger than the pool with −1, and keeps its objects', async () => {
    assert.equal(await engine.put('small', sized(1, 7)), 0);
    assert.equal(await engine.put('huge', sized(blocks + 1)), -1);
    assert.equal(await engine.exist('huge'), -3102);
    await holds('small', 1, 7);
  });

  it('refuses a value that does not fit beside the others with −1, and keeps its objects', async () => {
    assert.equal(await engine.put('most', sized(40, 7)), 0);
    assert.equal(await engine.put('rest', sized(30)), -1);
    assert.equal(await engine.exist('rest'), -3102);
    assert.deepEqual((await engine.query('rest')).info.valid, false);
    await holds('most', 40, 7);
    assert.equal(await engine.put('rest', sized(10, 8)), 0);
    await holds('rest', 10, 8);
  });

  it('allocates space before it looks up the key: a put of an existing key returns −1 without space, otherwise −3006', async () => {
    assert.equal(await engine.put('key', sized(40, 7)), 0);
    assert.equal(await engine.put('key', sized(40)), -1);
    assert.equal(await engine.put('key', sized(1)), -3006);
    await holds('key', 40, 7);
  });

  it('returns a code for each item of a batch that does not fit completely', async () => {
    const keys = ['a', 'b', 'c'];
    const values = [sized(20, 1), sized(35, 2), sized(20, 3)];
    const { code, results } = await engine.batchPut(keys, values);
    assert.deepEqual({ code, results }, { code: 0, results: [0, 0, -1] });
    assert.deepEqual((await engine.batchExist(keys)).results, [0, 0, -3102]);
    await holds('b', 35, 2);
  });

  it('reuses the space of a removed object, also right after a read', async () => {
    for (let round = 0; round < 10; round++) {
      await until(async () => (await engine.put(`round ${round}`, sized(40, round))) === 0);
      await holds(`round ${round}`, 40, round);
      assert.equal(await engine.remove(`round ${round}`), 0);
    }
  });

  it('has its space in one piece again after many objects of many sizes', async () => {
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    const held = new Map<string, { length: number; fill: number }>();
    for (let i = 0; i < 1500; i++) {
      if (held.size > 40 || (held.size > 0 && random(3) === 0)) {
        const key = [...held.keys()][random(held.size)] ?? '';
        const { length, fill } = held.get(key) ?? { length: 0, fill: 0 };
        assert.deepEqual(await engine.check(key, length, fill), { code: 0, same: true });
        assert.equal(await engine.remove(key), 0);
        held.delete(key);
      } else {
        const value = { length: 1 + random(blockBytes), fill: random(256) };
        assert.equal(await engine.put(`key ${i}`, value), 0);
        held.set(`key ${i}`, value);
      }
    }
    const keys = [...held.keys()];
    assert.deepEqual(
      (await engine.batchRemove(keys)).results,
      keys.map(() => 0),
    );
    const whole = Math.floor(blocks * 0.9);
    await until(async () => (await engine.put('whole', sized(whole, 9))) === 0);
    await holds('whole', whole, 9);
  });

  const numbered = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `block ${from + i}`);

  it('evicts nothing up to 90 % use', async () => {
    const keys = numbered(0, Math.floor(blocks * 0.89));
    for (const key of keys) assert.equal(await engine.put(key, sized(1)), 0);
    assert.deepEqual(await present(keys), keys);
  });

  it('evicts the least recently used objects above 90 %; get and exist count as use, queries do not', async () => {
    const keys = numbered(0, 57);
    for (const key of keys) assert.equal(await engine.put(key, sized(1)), 0);
    assert.equal((await engine.check('block 0', blockBytes, 1)).code, 0);
    assert.equal(await engine.exist('block 1'), 0);
    assert.deepEqual((await engine.batchGet(['block 2'], [blockBytes])).results, [0]);
    assert.deepEqual((await engine.batchExist(['block 3'])).results, [0]);
    assert.equal((await engine.query('block 4')).info.valid, true);
    assert.equal((await engine.batchQuery(['block 5'])).infos[0]?.valid, true);
    const more = numbered(57, 60);
    for (const key of more) assert.equal(await engine.put(key, sized(1)), 0);

    const oldest = ['block 4', 'block 5', 'block 6'];
    await until(async () => (await present(oldest)).length === 0);
    const used = ['block 0', 'block 1', 'block 2', 'block 3', ...more];
    assert.deepEqual(await present(used), used);
    const left = (await present([...keys, ...more])).length;
    assert.ok(left >= 0.7 * blocks, `${left} of ${blocks} left: more than was to be evicted`);
  });

  it('accepts objects without end, because old ones are evicted', async () => {
    for (let i = 0; i < 4 * blocks; i++) {
      const key = `stream ${i}`;
      await until(async () => (await engine.put(key, sized(1, i % 256))) === 0);
      await holds(key, 1, i % 256);
    }
    assert.equal(await engine.exist('stream 0'), -3102);
  });
});
