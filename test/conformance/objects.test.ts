/** One object at a time: the codes of put, get, query, exist and remove (docs/engine-facts.md §4). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  harmful,
  openClient,
  uniqueKey,
  withEngine,
  withoutNpu,
} from '../helpers/engine/conformance.ts';
import type { EngineCalls } from '../helpers/engine/engine-calls.ts';
import { type Key, untouched } from '../helpers/engine/engine-structs.ts';

describe('an object', { skip: withEngine }, () => {
  let engine: EngineCalls;
  let serviceId: number;
  before(async () => {
    engine = openClient();
    assert.equal(await engine.init(), 0);
    ({ id: serviceId } = await engine.localServiceId());
  });
  after(() => engine.uninit());

  const isMissing = async (key: Key) => {
    assert.deepEqual(await engine.get(key, 8), { code: -1, bytes: untouched(8) });
    const { code, info } = await engine.query(key);
    assert.deepEqual([code, info.valid], [0, false]);
    assert.equal(await engine.exist(key), -3102);
    assert.equal(await engine.remove(key), -3102);
  };

  it('that is missing: get returns −1, query 0 without valid, exist and remove −3102', async () => {
    await isMissing(uniqueKey('missing'));
  });

  for (const size of [1, 63, 64, 65, 4095, 4096, 4097, 2 ** 20, 8_994_816]) {
    it(`of ${size} bytes is returned byte for byte, and is missing after its removal`, async () => {
      const key = uniqueKey(`size-${size}`);
      const value = randomBytes(size);
      assert.equal(await engine.put(key, value), 0);
      const { code, bytes } = await engine.get(key, size);
      assert.equal(code, 0);
      assert.ok(bytes.equals(value));
      assert.equal(await engine.exist(key), 0);
      assert.deepEqual(await engine.query(key), {
        code: 0,
        info: { valid: true, size, replicas: [{ serviceId, medium: 1 }] },
      });
      assert.equal(await engine.remove(key), 0, 'a remove right after a get');
      await isMissing(key);
    });
  }

  it('is read only with its exact length: any other gives −1 and an unchanged buffer', async () => {
    const key = uniqueKey('exact');
    assert.equal(await engine.put(key, Buffer.alloc(100, 1)), 0);
    for (const length of [1, 99, 101, 4096]) {
      assert.deepEqual(await engine.get(key, length), { code: -1, bytes: untouched(length) });
    }
    assert.deepEqual(await engine.get(key, 100), { code: 0, bytes: Buffer.alloc(100, 1) });
    await engine.remove(key);
  });

  it('keeps its value after a second put: −3006, whatever the new size is', async () => {
    const key = uniqueKey('twice');
    assert.equal(await engine.put(key, Buffer.from('first')), 0);
    assert.equal(await engine.put(key, Buffer.from('again')), -3006);
    assert.equal(await engine.put(key, Buffer.from('a longer value')), -3006);
    assert.deepEqual(await engine.get(key, 5), { code: 0, bytes: Buffer.from('first') });
    assert.equal(await engine.remove(key), 0);
    assert.equal(await engine.put(key, Buffer.from('anew')), 0);
    assert.deepEqual(await engine.get(key, 4), { code: 0, bytes: Buffer.from('anew') });
    await engine.remove(key);
  });

  /** A key of this length that begins differently in each test; short keys are fixed. */
  const longKey = (length: number) =>
    length < 64 ? 'x'.repeat(length) : uniqueKey('').padEnd(length, 'k');
  const everyByte = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1));
  const keys: [string, () => Key][] = [
    ['one byte', () => longKey(1)],
    ['255 bytes', () => longKey(255)],
    ['256 bytes', () => longKey(256)],
    ['blanks and slashes', () => `${uniqueKey('a b')}//c/../ `],
    ['UTF-8', () => uniqueKey('ключ-鍵-🔑')],
    ['bytes that are not UTF-8', () => Buffer.from(`${uniqueKey('latin')}\xff\xc0`, 'latin1')],
    ['control bytes', () => uniqueKey('\x01\t\r\n\x1f\x7f')],
    ['every byte but NUL', () => everyByte],
  ];
  for (const [what, makeKey] of keys) {
    it(`may have a key of ${what}`, async () => {
      const key = makeKey();
      await engine.remove(key);
      assert.equal(await engine.put(key, Buffer.from('value')), 0);
      assert.deepEqual(await engine.get(key, 5), { code: 0, bytes: Buffer.from('value') });
      assert.equal(await engine.exist(key), 0);
      assert.equal((await engine.query(key)).info.size, 5);
      assert.equal(await engine.remove(key), 0);
    });
  }

  it('is distinguished from objects whose keys begin or end alike', async () => {
    const key = uniqueKey('a');
    const family = [key, `${key}a`, key.slice(0, -1), `${key} `, `${key}A`];
    for (const name of family) assert.equal(await engine.put(name, Buffer.from(name)), 0);
    for (const name of family) {
      assert.deepEqual(await engine.get(name, name.length), { code: 0, bytes: Buffer.from(name) });
      assert.equal(await engine.remove(name), 0);
    }
  });

  for (const [what, key] of [
    ['empty', ''],
    ['of 257 bytes', 'k'.repeat(257)],
    ['of 4096 bytes', 'k'.repeat(4096)],
  ] as const) {
    it(`must not have a key that is ${what}: −3000 from every call`, async () => {
      assert.equal(await engine.put(key, Buffer.from('v')), -3000);
      assert.deepEqual(await engine.get(key, 4), { code: -3000, bytes: untouched(4) });
      assert.equal((await engine.query(key)).code, -3000);
      assert.equal(await engine.exist(key), -3000);
      assert.equal(await engine.remove(key), -3000);
    });
  }

  it('has one replica if none or one is requested', async () => {
    for (const replicas of [0, 1]) {
      const key = uniqueKey(`replicas-${replicas}`);
      assert.equal(await engine.put(key, Buffer.from('v'), { replicas }), 0);
      assert.equal((await engine.query(key)).info.replicas.length, 1);
      await engine.remove(key);
    }
  });

  it('cannot have more than eight replicas, nor an absurd number: −1', async () => {
    for (const replicas of [9, 65_535]) {
      const key = uniqueKey(`replicas-${replicas}`);
      assert.equal(await engine.put(key, Buffer.from('v'), { replicas }), -1);
      await isMissing(key);
    }
  });

  it('is stored in a preferred service that is live, and nowhere if it is not: −1', async () => {
    const key = uniqueKey('preferred');
    assert.equal(await engine.put(key, Buffer.from('v'), { prefer: [serviceId] }), 0);
    assert.deepEqual((await engine.query(key)).info.replicas, [{ serviceId, medium: 1 }]);
    await engine.remove(key);
    for (const dead of [1000, 2 ** 31 - 1]) {
      assert.equal(await engine.put(key, Buffer.from('v'), { prefer: [dead] }), -1);
      await isMissing(key);
    }
  });

  it('is not copied through memory of a medium that the host lacks: −6', {
    skip: withoutNpu,
  }, async () => {
    const key = uniqueKey('medium');
    for (const medium of [0, 2]) {
      assert.equal(await engine.put(key, Buffer.from('v'), { medium }), -6);
    }
    await isMissing(key);
    assert.equal(await engine.put(key, Buffer.from('v')), 0);
    for (const medium of [0, 2]) {
      assert.deepEqual(await engine.get(key, 1, medium), { code: -6, bytes: untouched(1) });
    }
    await engine.remove(key);
  });

  it('may be empty without an effect on others', {
    skip: harmful('an empty value leaks the space of others'),
  }, async () => {
    const [empty, other] = [uniqueKey('empty'), uniqueKey('other')];
    assert.equal(await engine.put(empty, Buffer.alloc(0)), 0);
    assert.equal(await engine.put(other, Buffer.from('other')), 0);
    assert.equal((await engine.get(empty, 0)).code, 0);
    assert.equal((await engine.query(empty)).info.size, 0);
    assert.equal(await engine.remove(empty), 0);
    assert.deepEqual(await engine.get(other, 5), { code: 0, bytes: Buffer.from('other') });
    assert.equal(await engine.remove(other), 0);
  });
});
