/** Many keys in one call (docs/engine-facts.md §6). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { openClient, uniqueKey, withEngine } from '../helpers/engine/conformance.ts';
import type { EngineCalls } from '../helpers/engine/engine-calls.ts';
import { unanswered, untouched } from '../helpers/engine/engine-structs.ts';

const tooLong = 'k'.repeat(257);
const most = 16_384;
const v = Buffer.from('v');

describe('a batch', { skip: withEngine }, () => {
  let engine: EngineCalls;
  before(async () => {
    engine = openClient();
    assert.equal(await engine.init(), 0);
  });
  after(() => engine.uninit());

  /** Keys with stored values of different lengths. */
  async function stored(count: number): Promise<{ keys: string[]; values: Buffer[] }> {
    const keys = Array.from({ length: count }, (_, i) => uniqueKey(`item-${i}`));
    const values = keys.map((_, i) => randomBytes(10 + i * 7));
    assert.deepEqual(await engine.batchPut(keys, values), { code: 0, results: keys.map(() => 0) });
    return { keys, values };
  }

  it('stores, reads, queries and removes in the order of its keys', async () => {
    const { keys, values } = await stored(5);
    const lengths = values.map(({ length }) => length);
    const zeros = keys.map(() => 0);
    assert.deepEqual(await engine.batchGet(keys, lengths), {
      code: 0,
      results: zeros,
      bytes: values,
    });
    assert.deepEqual(await engine.batchExist(keys), { code: 0, results: zeros });
    const { code, infos } = await engine.batchQuery(keys);
    assert.equal(code, 0);
    assert.deepEqual(
      infos.map(({ valid, size, replicas }) => [valid, size, replicas.length]),
      lengths.map((length) => [true, length, 1]),
    );
    assert.deepEqual(await engine.batchRemove(keys), { code: 0, results: zeros });
    assert.deepEqual(
      (await engine.batchExist(keys)).results,
      keys.map(() => -3102),
    );
  });

  it('returns a code for a missing key or a wrong length in its own place', async () => {
    const { keys, values } = await stored(2);
    const [a = '', b = ''] = keys;
    const [first = v, second = v] = values;
    const missing = uniqueKey('missing');
    const asked = [missing, a, b, b];
    const got = await engine.batchGet(asked, [8, first.length, second.length + 1, second.length]);
    assert.deepEqual(got, {
      code: 0,
      results: [-1, 0, -1, 0],
      bytes: [untouched(8), first, untouched(second.length + 1), second],
    });
    assert.deepEqual((await engine.batchExist([missing, a])).results, [-3102, 0]);
    const { code, infos } = await engine.batchQuery([missing, a]);
    assert.deepEqual([code, infos.map(({ valid }) => valid)], [0, [false, true]]);
    assert.deepEqual((await engine.batchRemove([a, missing, b])).results, [0, -3102, 0]);
  });

  it('with only missing keys returns 0, and a code for each item', async () => {
    const keys = [uniqueKey('no'), uniqueKey('nor')];
    assert.deepEqual(await engine.batchGet(keys, [4, 4]), {
      code: 0,
      results: [-1, -1],
      bytes: [untouched(4), untouched(4)],
    });
    assert.deepEqual(await engine.batchExist(keys), { code: 0, results: [-3102, -3102] });
    assert.deepEqual(await engine.batchRemove(keys), { code: 0, results: [-3102, -3102] });
    const { code, infos } = await engine.batchQuery(keys);
    assert.deepEqual([code, infos.map(({ valid }) => valid)], [0, [false, false]]);
  });

  it('stores the new keys and returns −3006 for existing ones', async () => {
    const { keys, values } = await stored(1);
    const [old = ''] = keys;
    const fresh = uniqueKey('fresh');
    assert.deepEqual((await engine.batchPut([old, fresh], [v, v])).results, [-3006, 0]);
    const lengths = [values[0]?.length ?? 0, 1];
    assert.deepEqual((await engine.batchGet([old, fresh], lengths)).bytes, [values[0], v]);
    await engine.batchRemove([old, fresh]);
  });

  it('may contain a key twice: both reads succeed, the second put is −3006, the second remove −3102', async () => {
    const key = uniqueKey('double');
    const [one, two] = [Buffer.from('one'), Buffer.from('two')];
    assert.deepEqual(await engine.batchPut([key, key], [one, two]), {
      code: 0,
      results: [0, -3006],
    });
    const { results, bytes } = await engine.batchGet([key, key], [3, 3]);
    assert.deepEqual({ results, bytes }, { results: [0, 0], bytes: [one, one] });
    assert.deepEqual((await engine.batchExist([key, key])).results, [0, 0]);
    assert.deepEqual(
      (await engine.batchQuery([key, key])).infos.map(({ size }) => size),
      [3, 3],
    );
    assert.deepEqual((await engine.batchRemove([key, key])).results, [0, -3102]);
  });

  it('with one key that is too long is refused as a whole by put and get: −3000, nothing done', async () => {
    const { keys } = await stored(1);
    const [key = ''] = keys;
    const fresh = uniqueKey('fresh');
    const nothing = [unanswered, unanswered];
    for (const pair of [
      [fresh, tooLong],
      [tooLong, fresh],
    ]) {
      assert.deepEqual(await engine.batchPut(pair, [v, v]), { code: -3000, results: nothing });
      assert.equal(await engine.exist(fresh), -3102);
    }
    assert.deepEqual(await engine.batchGet([key, tooLong], [10, 4]), {
      code: -3000,
      results: nothing,
      bytes: [untouched(10), untouched(4)],
    });
    await engine.remove(key);
  });

  it('with one key that is too long fails only in that item for exist, query and remove', async () => {
    const { keys } = await stored(1);
    const [key = ''] = keys;
    const asked = [tooLong, key, uniqueKey('missing')];
    assert.deepEqual(await engine.batchExist(asked), { code: 0, results: [-3000, 0, -3102] });
    const { code, infos } = await engine.batchQuery(asked);
    assert.deepEqual([code, infos.map(({ valid }) => valid)], [0, [false, true, false]]);
    assert.deepEqual(await engine.batchRemove(asked), { code: 0, results: [-3000, 0, -3102] });
  });

  it('with only invalid keys is refused as a whole by exist and query: −3000', async () => {
    for (const keys of [[tooLong], [tooLong, ''], ['', '']]) {
      assert.deepEqual(await engine.batchExist(keys), {
        code: -3000,
        results: keys.map(() => unanswered),
      });
      assert.equal((await engine.batchQuery(keys)).code, -3000);
    }
  });

  it('of no keys, or of more than 16,384, is refused: −3000, results unchanged', async () => {
    for (const count of [0, most + 1]) {
      const keys = Array.from({ length: count }, (_, i) => `never/${i}`);
      const refused = { code: -3000, results: keys.map(() => unanswered) };
      const ones = keys.map(() => 1);
      assert.deepEqual(
        await engine.batchPut(
          keys,
          keys.map(() => v),
        ),
        refused,
        `put ${count}`,
      );
      const { code, results } = await engine.batchGet(keys, ones);
      assert.deepEqual({ code, results }, refused, `get ${count}`);
      assert.deepEqual(await engine.batchExist(keys), refused, `exist ${count}`);
      assert.deepEqual(await engine.batchRemove(keys), refused, `remove ${count}`);
      assert.equal((await engine.batchQuery(keys)).code, -3000, `query ${count}`);
    }
    assert.equal(await engine.exist('never/0'), -3102);
  });

  it('of 16,384 keys works, and every byte is right', async () => {
    const prefix = uniqueKey('most');
    const keys = Array.from({ length: most }, (_, i) => `${prefix}/${i}`);
    const values = keys.map((_, i) => Buffer.alloc(1024, i % 251));
    const zeros = keys.map(() => 0);
    assert.deepEqual(await engine.batchPut(keys, values), { code: 0, results: zeros });
    const got = await engine.batchGet(
      keys,
      keys.map(() => 1024),
    );
    assert.deepEqual(got.results, zeros);
    assert.ok(got.bytes.every((bytes, i) => bytes.equals(values[i] ?? v)));
    assert.deepEqual(await engine.batchExist(keys), { code: 0, results: zeros });
    const { infos } = await engine.batchQuery(keys);
    assert.ok(infos.every(({ valid, size }) => valid && size === 1024));
    assert.deepEqual(await engine.batchRemove(keys), { code: 0, results: zeros });
  });

  it('with more replicas than services stores nothing', async () => {
    const keys = [uniqueKey('a'), uniqueKey('b')];
    const { code, results } = await engine.batchPut(keys, [v, v], { replicas: 9 });
    assert.ok(code !== 0 || results.every((result) => result === -1), `${code}: ${results.join()}`);
    assert.deepEqual((await engine.batchExist(keys)).results, [-3102, -3102]);
  });
});
