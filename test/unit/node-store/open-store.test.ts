import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  EngineClosedError,
  MmcError,
  openStore,
  type Store,
  type StoreBytes,
} from '../../../src/node-store/index.ts';

const ARENA_BYTES = 1024 * 1024;
const options = { arenaBytes: ARENA_BYTES, debugArena: true, deadlineMs: 10_000 };

const withErrno = (errno: number) => (error: unknown) => {
  assert.ok(error instanceof MmcError, String(error));
  assert.equal(error.errno, errno);
  return true;
};

const opened: { store?: Store } = {};
const store = (): Store => opened.store ?? assert.fail('the store is not open');

async function isEmpty(keys: readonly string[]): Promise<void> {
  for (const result of await store().hasMany(keys))
    assert.deepEqual(result, { ok: true, exists: false });
}

describe('openStore', () => {
  it('refuses unknown options, and options out of their range, by name', async () => {
    await assert.rejects(openStore({ devices: 0 } as object), (error: unknown) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, /^options\.devices is unknown; the options are device, engine, /);
      return true;
    });
    await assert.rejects(openStore({ ...options, device: 384 }), /device is 384: .* from 0 to 383/);
    await assert.rejects(openStore(7 as never), /options must be an object, not a number/);
  });

  it('is disposed of with await using, and another store can be opened then', async () => {
    const first = await openStore(options);
    await first.put('disposed', Buffer.from('x'));
    await first[Symbol.asyncDispose]();
    await first.close();
    await assert.rejects(first.get('disposed'), EngineClosedError);
    assert.throws(() => first.arena, EngineClosedError);
    const second = await openStore({ ...options, device: 1 });
    assert.equal(await second.has('disposed'), false, 'the pool ended with its last client');
    await second.close();
  });
});

describe('a store', () => {
  before(async () => {
    opened.store = await openStore({ ...options, device: 3 });
  });
  after(() => store().close());

  it('has the service of its device', () => {
    assert.equal(Number.isInteger(store().serviceId), true);
    assert.equal(store().arena.totalBytes, ARENA_BYTES);
  });

  it('stores, returns, describes and removes an object', async () => {
    const value = randomBytes(5000);
    assert.equal(await store().put('one', value), 'created');
    assert.ok((await store().get('one'))?.equals(value));
    assert.equal(await store().has('one'), true);
    assert.deepEqual(await store().info('one'), {
      size: 5000,
      replicas: [{ serviceId: store().serviceId, medium: 'DRAM' }],
    });
    assert.equal(await store().delete('one'), true);
    await isEmpty(['one']);
  });

  it('has no error for a missing object', async () => {
    assert.equal(await store().get('none'), undefined);
    assert.equal(await store().info('none'), undefined);
    assert.equal(await store().has('none'), false);
    assert.equal(await store().delete('none'), false);
    assert.equal(await store().getInto('none', Buffer.alloc(1)), false);
    assert.equal(await store().getLayers('none', { sizes: [1] }), undefined);
  });

  it('keeps, replaces or refuses an object that exists', async () => {
    await store().put('twice', Buffer.from('first'));
    await assert.rejects(store().put('twice', Buffer.from('b')), (error: unknown) => {
      assert.ok(error instanceof MmcError);
      assert.deepEqual(
        [error.name, error.code, error.errno, error.operation],
        ['MmcError', 'MMC_DUPLICATED_OBJECT', -3006, 'put'],
      );
      return true;
    });
    assert.equal(await store().put('twice', Buffer.from('b'), { ifExists: 'keep' }), 'kept');
    assert.equal(String(await store().get('twice')), 'first');
    assert.equal(await store().put('twice', Buffer.from('b'), { ifExists: 'replace' }), 'replaced');
    assert.equal(String(await store().get('twice')), 'b');
    await store().delete('twice');
    assert.equal(await store().put('twice', Buffer.from('c'), { ifExists: 'replace' }), 'created');
    await store().delete('twice');
  });

  it('accepts every form of bytes, and reads into memory of the caller', async () => {
    const block = await store().arena.allocate(4, { deadlineMs: 1000 });
    block.view.write('four');
    const whole = Buffer.from('[four]');
    await store().registerBuffer(whole);
    const forms: Record<string, StoreBytes> = {
      buffer: Buffer.from('four'),
      array: new Uint8Array(Buffer.from('four')),
      arrayBuffer: new Uint8Array(Buffer.from('four')).buffer,
      registered: whole.subarray(1, 5),
      block,
    };
    for (const [key, value] of Object.entries(forms)) await store().put(key, value);
    for (const key of Object.keys(forms)) {
      const target = Buffer.alloc(4);
      assert.equal(await store().getInto(key, target), true);
      assert.equal(String(target), 'four', key);
      await assert.rejects(store().getInto(key, Buffer.alloc(5)), withErrno(-1));
    }
    await store().getInto('buffer', block);
    assert.equal(String(block.view), 'four');
    await store().unregisterBuffer(whole);
    block.release();
    await store().deleteMany(Object.keys(forms));
    assert.equal(store().arena.stats().blocks, 0);
  });

  it('stores and cuts layers, and says when the sizes are others', async () => {
    const layers = [Buffer.from('a'), Buffer.from('bcd'), Buffer.from('ef')];
    await store().putLayers('layers', layers, { replicas: 1 });
    assert.deepEqual(await store().getLayers('layers', { sizes: [1, 3, 2] }), layers);
    await assert.rejects(
      store().getLayers('layers', { sizes: [1, 3] }),
      /RangeError: the object has 6 bytes, but options\.sizes has 4/,
    );
    await store().delete('layers');
  });

  it('has a result for each item of a batch', async () => {
    const entries = new Map([
      ['a', Buffer.from('1')],
      ['b', Buffer.from('22')],
    ]);
    const keys = [...entries.keys(), 'none'];
    assert.deepEqual(await store().putMany(entries), [
      { ok: true, outcome: 'created' },
      { ok: true, outcome: 'created' },
    ]);
    assert.deepEqual(await store().hasMany(keys), [
      { ok: true, exists: true },
      { ok: true, exists: true },
      { ok: true, exists: false },
    ]);
    const values = await store().getMany(keys);
    assert.deepEqual(
      values.map((item) => (item.ok ? item.value?.toString() : item.error)),
      ['1', '22', undefined],
    );
    const infos = await store().infoMany(keys);
    assert.deepEqual(
      infos.map((item) => (item.ok ? item.info?.size : item.error)),
      [1, 2, undefined],
    );
    assert.deepEqual(await store().deleteMany(keys), [
      { ok: true, deleted: true },
      { ok: true, deleted: true },
      { ok: true, deleted: false },
    ]);
    assert.deepEqual(await store().getMany([]), []);
  });

  it('puts the entries that it can, and has an error for each other', async () => {
    await store().put('there', Buffer.from('old'));
    const entries = [
      ['there', Buffer.from('new')],
      ['huge', Buffer.alloc(ARENA_BYTES + 1)],
      ['fresh', Buffer.from('new')],
    ] as const;
    const [there, huge, fresh] = await store().putMany(entries);
    assert.equal(
      there?.ok === false && there.error instanceof MmcError && there.error.code,
      'MMC_DUPLICATED_OBJECT',
    );
    assert.equal(
      huge?.ok === false && huge.error instanceof MmcError && huge.error.code,
      'MMC_EXCEED_CAPACITY',
    );
    assert.deepEqual(fresh, { ok: true, outcome: 'created' });
    const again = await store().putMany(entries.slice(0, 1), { ifExists: 'replace' });
    assert.deepEqual(again, [{ ok: true, outcome: 'replaced' }]);
    assert.equal(String(await store().get('there')), 'new');
    await store().deleteMany(['there', 'fresh']);
  });

  it('moves more keys than one call of the engine takes', async () => {
    const keys = Array.from({ length: 16_385 }, (_, at) => `many/${at}`);
    const stored = await store().putMany(keys.map((key) => [key, Buffer.from(key)] as const));
    assert.equal(
      stored.every(({ ok }) => ok),
      true,
    );
    const values = await store().getMany(keys);
    assert.equal(
      values.every((item, at) => item.ok && String(item.value) === keys[at]),
      true,
    );
    const removed = await store().deleteMany(keys);
    assert.equal(
      removed.every((item) => item.ok && item.deleted),
      true,
    );
  });
});

describe('bad arguments', () => {
  before(async () => {
    opened.store = await openStore({ ...options, device: 4 });
  });
  after(() => store().close());

  const x = Buffer.from('x');
  const calls: Record<string, (use: Store) => Promise<unknown>> = {
    'key must be a string, not undefined': (use) => use.get(undefined as never),
    'key must have 1 to 255 bytes': (use) => use.put('', x),
    'keys must be an array, not a string': (use) => use.getMany('abc' as never),
    'keys[1] must have 1 to 255 bytes': (use) => use.hasMany(['a', 'b'.repeat(256)]),
    'value must be a Uint8Array, an ArrayBuffer or a block of the arena, not a string': (use) =>
      use.put('k', 'text' as never),
    'value must be a Uint8Array, an ArrayBuffer or a block of the arena, not an object': (use) =>
      use.put('k', { x: 1 } as never),
    'keys[0] must be a string, not undefined': (use) => use.getMany(new Array(2) as string[]),
    'value must have at least one byte': (use) => use.put('k', Buffer.alloc(0)),
    'options must be an object, not null': (use) => use.put('k', x, null as never),
    'options.ifExist is unknown; the options are replicas, prefer, ifExists': (use) =>
      use.put('k', x, { ifExist: 'keep' } as never),
    "options.ifExists must be 'fail', 'keep' or 'replace'": (use) =>
      use.put('k', x, { ifExists: 'skip' as never }),
    'options.replicas must be a whole number from 1 to 8, not 9': (use) =>
      use.put('k', x, { replicas: 9 }),
    'options.replicas must be a whole number from 1 to 8, not 0': (use) =>
      use.put('k', x, { replicas: 0 }),
    'options.prefer[0] must be a whole number': (use) => use.put('k', x, { prefer: [-1] }),
    'options.prefer must not name a service twice': (use) =>
      use.put('k', x, { replicas: 2, prefer: [0, 0] }),
    'options.prefer must have at most as many services as replicas': (use) =>
      use.put('k', x, { prefer: [0, 1] }),
    'entries must be an iterable of [key, value]': (use) => use.putMany(7 as never),
    'entries[0] must be an array of key and value': (use) => use.putMany(['k'] as never),
    'entries[1][1] must be a Uint8Array': (use) =>
      use.putMany([
        ['k', x],
        ['l', 1],
      ] as never),
    'layers must have at least one item': (use) => use.putLayers('k', []),
    'layers[1] must have at least one byte': (use) => use.putLayers('k', [x, Buffer.alloc(0)]),
    'options.sizes must be an array': (use) => use.getLayers('k', {} as never),
    'options.sizes[0] must be a whole number from 1': (use) => use.getLayers('k', { sizes: [0] }),
    'target must be a Uint8Array': (use) => use.getInto('k', [] as never),
    'buffer must be a Uint8Array, not a string': (use) => use.registerBuffer('b' as never),
    'buffer must be a Uint8Array, not an instance of ArrayBuffer': (use) =>
      use.registerBuffer(new ArrayBuffer(8) as never),
    'buffer must have at least one byte': (use) => use.registerBuffer(Buffer.alloc(0)),
  };
  for (const [message, call] of Object.entries(calls)) {
    it(`are refused: ${message}`, async () => {
      await assert.rejects(call(store()), (error: unknown) => {
        assert.ok(error instanceof TypeError, String(error));
        assert.ok(error.message.startsWith(message), error.message);
        return true;
      });
      assert.equal(await store().has('k'), false);
    });
  }

  it('accepts keys and replicas at their limits', async () => {
    const key = 'k'.repeat(255);
    assert.equal(await store().put(key, x, { replicas: 1 }), 'created');
    assert.equal(await store().delete(key), true);
  });
});
