/** Sixteen concurrent callers, the default number of calls in flight (docs/engine-facts.md §8). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { newPool, startClient, uniqueKey, withEngine } from '../helpers/engine/conformance.ts';
import type { EngineCalls } from '../helpers/engine/engine-calls.ts';
import type { EngineProcess } from '../helpers/engine/engine-process.ts';

const callers = Array.from({ length: 16 }, (_, i) => i);

describe('sixteen concurrent callers', { skip: withEngine }, () => {
  let client: EngineProcess;
  let engine: EngineCalls;
  before(async () => {
    client = await startClient(newPool()); // it has a thread for each
    engine = client.engine;
    assert.equal(await engine.init(), 0);
  });
  after(async () => {
    await engine.uninit();
    await client.kill();
  });

  const count = (codes: readonly number[], code: number) =>
    codes.filter((answer) => answer === code).length;

  it('use separate objects without a wrong byte or code', async () => {
    await Promise.all(
      callers.map(async (caller) => {
        for (let round = 0; round < 30; round++) {
          const key = uniqueKey(`caller-${caller}`);
          const value = randomBytes(1 + ((caller * 7919 + round * 104_729) % 100_000));
          assert.equal(await engine.put(key, value), 0);
          const { code, bytes } = await engine.get(key, value.length);
          assert.equal(code, 0);
          assert.ok(bytes.equals(value));
          assert.equal((await engine.query(key)).info.size, value.length);
          assert.equal(await engine.remove(key), 0);
          assert.equal(await engine.exist(key), -3102);
        }
      }),
    );
  });

  it('put, and remove, one key: exactly one of them succeeds', async () => {
    for (let round = 0; round < 30; round++) {
      const key = uniqueKey('contended');
      const values = callers.map((caller) => Buffer.alloc(10_000, caller));
      const puts = await Promise.all(values.map((value) => engine.put(key, value)));
      assert.deepEqual([count(puts, 0), count(puts, -3006)], [1, 15]);
      const { code, bytes } = await engine.get(key, 10_000);
      assert.equal(code, 0);
      assert.ok(bytes.equals(values[puts.indexOf(0)] ?? bytes.subarray(1)));
      const removes = await Promise.all(callers.map(() => engine.remove(key)));
      assert.deepEqual([count(removes, 0), count(removes, -3102)], [1, 15]);
    }
  });

  it('read an object while others remove and store it: each read returns one value, or nothing', async () => {
    const key = uniqueKey('changing');
    const length = 50_000;
    const allowed = new Set([0, -1, -3006, -3007, -3102]);
    await Promise.all(
      callers.map(async (caller) => {
        for (let round = 0; round < 30; round++) {
          if (caller % 4 === 0) {
            const put = await engine.put(key, { length, fill: (caller + round) % 256 });
            const remove = await engine.remove(key);
            assert.ok(allowed.has(put) && allowed.has(remove), `put ${put}, remove ${remove}`);
            continue;
          }
          const { code, bytes } = await engine.get(key, length);
          assert.ok(allowed.has(code), `get ${code}`);
          assert.ok(bytes.equals(Buffer.alloc(length, bytes[0])), 'the bytes of two values');
        }
      }),
    );
    await engine.remove(key);
  });

  it('send batches that overlap', async () => {
    const keys = Array.from({ length: 200 }, () => uniqueKey('overlap'));
    const values = keys.map((_, i) => Buffer.alloc(500, i));
    const puts = await Promise.all(callers.map(() => engine.batchPut(keys, values)));
    for (const i of keys.keys()) {
      const codes = puts.map(({ results }) => results[i] ?? Number.NaN);
      assert.deepEqual([count(codes, 0), count(codes, -3006)], [1, 15]);
    }
    const lengths = keys.map(() => 500);
    const gets = await Promise.all(callers.map(() => engine.batchGet(keys, lengths)));
    for (const { results, bytes } of gets) {
      assert.equal(count(results, 0), keys.length);
      assert.ok(bytes.every((item, i) => item.equals(values[i] ?? Buffer.alloc(0))));
    }
    const removes = await Promise.all(callers.map(() => engine.batchRemove(keys)));
    for (const i of keys.keys()) {
      const codes = removes.map(({ results }) => results[i] ?? Number.NaN);
      assert.deepEqual([count(codes, 0), count(codes, -3102)], [1, 15]);
    }
  });
});
