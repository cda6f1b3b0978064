/** The store on an engine that changes during a call, is slow, or returns wrong results. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import {
  DistributedObjectStore,
  EngineDeadlineError,
  MmcError,
  UntrustedReadError,
} from '../../../src/node-store/python-api.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { until } from '../../helpers/process/until.ts';

const injection = createInjection();
let store: DistributedObjectStore;

before(async () => {
  Object.assign(process.env, injection.env);
  store = new DistributedObjectStore({
    engine: await injectingLibrary(),
    arenaBytes: 1024 * 1024,
    debugArena: true,
    deadlineMs: 3000,
  });
  await store.init(0);
});

after(async () => {
  await store.close();
  injection.dispose();
});

afterEach(async () => {
  await injection.clear();
  await until(() => store.arena.stats().blocks === 0);
});

/** Starts a get that the engine delays after its query, until the rules are cleared. */
async function heldUp(key: string): Promise<{ read: Promise<Buffer> }> {
  const { started } = injection.counters('get');
  await injection.set([{ on: 'get', hang: true }]);
  const read = store.get(key);
  read.catch(() => undefined);
  await until(() => injection.counters('get').started > started);
  return { read };
}

describe('get', () => {
  it('reads an object that was replaced by one of another length', async () => {
    await store.put('changes', Buffer.from('short'));
    const { read } = await heldUp('changes');
    await store.remove('changes');
    await store.put('changes', Buffer.from('quite a bit longer'));
    await injection.clear();
    assert.equal(String(await read), 'quite a bit longer');
    await store.remove('changes');
  });

  it('reads an object again that was missing for a moment', async () => {
    await store.put('same', Buffer.from('value'));
    await injection.set([{ on: 'get', code: -1, nth: 1 }]);
    assert.equal(String(await store.get('same')), 'value');
    await store.remove('same');
  });

  it('reports an object that was removed in between as missing', async () => {
    await store.put('goes', Buffer.from('value'));
    const { read } = await heldUp('goes');
    await store.remove('goes');
    await injection.clear();
    await assert.rejects(read, (error: unknown) => {
      assert.ok(error instanceof MmcError);
      assert.equal(error.errno, -3102);
      return true;
    });
  });

  it('does not query without end if the engine returns −1 for the right length', async () => {
    await store.put('stays', Buffer.from('value'));
    await injection.set([{ on: 'get', code: -1 }]);
    const { started } = injection.counters('get');
    await assert.rejects(store.get('stays'), (error: unknown) => {
      assert.ok(error instanceof MmcError);
      assert.equal(error.errno, -1);
      return true;
    });
    assert.equal(injection.counters('get').started - started, 4);
    await injection.clear();
    await store.remove('stays');
  });

  it('rejects with UntrustedReadError after a read that is distrusted twice; a batch has a code for it', async () => {
    await store.put('lie', Buffer.from('value'));
    await injection.set([{ on: ['get', 'batch_get'], noCopy: true }]);
    const target = Buffer.from('mine!');
    await assert.rejects(store.get('lie'), UntrustedReadError);
    await assert.rejects(store.getInto('lie', target), UntrustedReadError);
    assert.deepEqual(await store.batchGetInto(['lie'], [target]), [-900_001]);
    assert.equal(String(target), 'mine!');
    await injection.clear();
    await store.remove('lie');
  });
});

describe('a call past its deadline', () => {
  it('rejects, and keeps its staging block until it returns', async () => {
    await injection.set([{ on: 'put', hang: true }]);
    await assert.rejects(store.put('late', Buffer.from('value')), EngineDeadlineError);
    assert.equal(store.arena.stats().blocks, 1);
    await injection.clear();
    await until(() => store.arena.stats().blocks === 0);
    await store.remove('late');
  });
});

describe('a batch of several engine calls, of which the second never returns', () => {
  it('has the codes of the first, and −3004 for the keys after it', async () => {
    const keys = Array.from({ length: 17_000 }, (_, i) => `many/${i}`);
    await injection.set([{ on: 'batch_exist', hang: true, nth: 2 }]);
    const codes = await store.batchIsExist(keys);
    await injection.set([{ on: 'batch_exist', hang: true }]);
    await assert.rejects(store.batchIsExist(['many/0']), EngineDeadlineError);
    assert.deepEqual([codes.length, codes[0], codes[16_383]], [17_000, 0, 0]);
    assert.deepEqual([...new Set(codes.slice(16_384))], [-3004]);
  });
});

describe('a batch whose call fails as a whole', () => {
  it('has that code for every key, and −3000 for keys that were never sent', async () => {
    const functions = ['batch_put', 'batch_get', 'batch_exist', 'batch_remove'] as const;
    await injection.set([{ on: functions, code: -3014 }]);
    const value = Buffer.from('v');
    assert.deepEqual(await store.batchPutFrom(['a', ''], [value, value]), [-3014, -3000]);
    assert.deepEqual(await store.batchGetInto(['a', ''], [value, value]), [-3014, -3000]);
    assert.deepEqual(await store.batchIsExist(['a', '']), [-3014, -3000]);
    assert.deepEqual(await store.removeBatch(['a', '']), [-3014, -3000]);
    await injection.set([{ on: 'batch_query', code: -3014 }]);
    await assert.rejects(store.batchGetKeyInfo(['a']), MmcError);
  });
});
