/** `openStore` on an engine that changes during a call, or never returns. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { EngineDeadlineError, openStore, type Store } from '../../../src/node-store/index.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { until } from '../../helpers/process/until.ts';

const keysPerCall = 16_384;
const injection = createInjection();
let store: Store;

before(async () => {
  Object.assign(process.env, injection.env);
  const engine = await injectingLibrary();
  store = await openStore({ engine, arenaBytes: 8 << 20, debugArena: true, deadlineMs: 2000 });
});

after(async () => {
  await store.close();
  injection.dispose();
});

afterEach(async () => {
  await injection.clear();
  await until(() => store.arena.stats().blocks === 0);
});

describe('a batch of several engine calls, of which the second never returns', () => {
  const keys = Array.from({ length: keysPerCall + 10 }, (_, i) => `many/${i}`);

  function isSplit(results: readonly { ok: boolean; error?: Error }[], done: object): void {
    assert.equal(results.length, keys.length);
    for (const result of results.slice(0, keysPerCall)) assert.deepEqual(result, done);
    for (const { ok, error } of results.slice(keysPerCall)) {
      assert.ok(!ok && error instanceof EngineDeadlineError, String(error));
    }
  }

  for (const [name, on, done, call] of [
    ['hasMany', 'batch_exist', { ok: true, exists: false }, () => store.hasMany(keys)],
    ['deleteMany', 'batch_remove', { ok: true, deleted: false }, () => store.deleteMany(keys)],
    ['infoMany', 'batch_query', { ok: true, info: undefined }, () => store.infoMany(keys)],
    ['getMany', 'batch_query', { ok: true, value: undefined }, () => store.getMany(keys)],
  ] as const) {
    it(`has the results of the first and an error for each key after it: ${name}`, async () => {
      await injection.set([{ on, hang: true, nth: 2 }]);
      isSplit(await call(), done);
    });
  }

  it('has the results of the first and an error for each entry after it: putMany', async () => {
    const value = Buffer.from('x');
    const options = { ifExists: 'keep' } as const;
    await injection.set([{ on: 'batch_put', hang: true, nth: 2 }]);
    const entries = keys.map((key) => [key, value] as const);
    isSplit(await store.putMany(entries, options), { ok: true, outcome: 'created' });
    await injection.clear();
    await until(() => store.arena.stats().blocks === 0);
    for (const { ok } of await store.deleteMany(keys)) assert.equal(ok, true);
  });
});

describe('an object that is replaced during a read by one of the same length', () => {
  for (const [name, read] of [
    ['get', async () => String(await store.get('same'))],
    [
      'getInto',
      async () => {
        const target = Buffer.alloc(5);
        assert.equal(await store.getInto('same', target), true);
        return String(target);
      },
    ],
  ] as const) {
    it(`is read again: ${name}`, async () => {
      await store.put('same', Buffer.from('value'));
      // The engine finds the key between the remove and the put of another client.
      await injection.set([{ on: 'get', code: -1, nth: 1 }]);
      assert.equal(await read(), 'value');
      await store.delete('same');
    });
  }
});

describe('getInto', () => {
  it('rejects with MMC_ERROR if the object has another length', async () => {
    await store.put('length', Buffer.from('four'));
    await assert.rejects(store.getInto('length', Buffer.alloc(5)), { code: 'MMC_ERROR' });
    await store.delete('length');
  });
});

describe('the deadline of close', () => {
  for (const deadlineMs of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '1']) {
    it(`is refused, and the store stays open: ${deadlineMs}`, async () => {
      await assert.rejects(store.close(deadlineMs as number), TypeError);
      assert.equal(await store.has('open'), false);
    });
  }
});
