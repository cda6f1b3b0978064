/** `openStore` on an engine whose pool is full. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openStore, type Store } from '../../../src/node-store/index.ts';

const mebibyte = 1 << 20;
let store: Store;

before(async () => {
  const own = { MMC_EMBEDDED_BYTES: String(16 * mebibyte), MMC_EMBEDDED_EVICT: 'threshold' };
  Object.assign(process.env, own);
  store = await openStore({ arenaBytes: 32 * mebibyte, debugArena: true });
  await store.put('a', Buffer.alloc(7 * mebibyte));
  await store.put('b', Buffer.alloc(7 * mebibyte));
});
after(() => store.close());

describe('a put for which there is no room beside the object that exists', () => {
  const value = Buffer.alloc(5 * mebibyte, 1);

  it('rejects with MMC_DUPLICATED_OBJECT, or keeps or replaces the object', async () => {
    await assert.rejects(store.put('a', value), { code: 'MMC_DUPLICATED_OBJECT' });
    assert.equal(await store.put('a', value, { ifExists: 'keep' }), 'kept');
    assert.deepEqual(await store.putMany([['a', value]], { ifExists: 'keep' }), [
      { ok: true, outcome: 'kept' },
    ]);
    assert.equal(await store.put('a', value, { ifExists: 'replace' }), 'replaced');
    assert.ok((await store.get('a'))?.equals(value));
  });

  it('rejects with MMC_ERROR for a new object', async () => {
    await assert.rejects(store.put('c', value), { code: 'MMC_ERROR' });
  });
});
