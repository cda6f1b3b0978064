import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UNTRUSTED_READ } from '../../../src/errors/engine-codes.ts';
import { ProblemError, type ProblemSlug } from '../../../src/errors/problems.ts';
import { EngineDeadlineError, EngineStuckError } from '../../../src/native/abi/errors.ts';
import type { Block, SyncCalls } from '../../../src/native/abi/types.ts';
import { SYNC_COPY_BYTES } from '../../../src/scheduler/engine-calls.ts';
import { EngineStore } from '../../../src/store/engine-store.ts';
import type { PoolRoom } from '../../../src/store/pool/pool-room.ts';
import { countingArena, type Script, scriptedCalls } from '../../helpers/engine/scripted-engine.ts';

const anywhere = { replicas: 1, prefer: [] };
const plain = {
  arenaWaitMs: 5,
  putWaitMs: 0,
  poolBytes: undefined,
  room: () => undefined as PoolRoom | undefined,
  singleFlight: false,
  staleReadMs: 0,
  sizeCacheKeys: 0,
};

const noCounts = () => ({ keys: 0, calls: 0, waiting: 0 });

/** A store on an engine that only threads of the pool call. */
function asynchronous(script: Script, arena = countingArena(), settings = {}) {
  const { calls, made, finished } = scriptedCalls(script);
  const single = { ...calls, counts: noCounts };
  return {
    store: new EngineStore(
      { arena, deadlineMs: 1000, single, engine: { sync: undefined } },
      { ...plain, poolBytes: { segment: 99, total: 99 }, ...settings },
    ),
    made,
    finished,
    arena,
  };
}

/** A store on an engine that may be called on this thread: one object, `a`, of `bytes` bytes. */
function synchronous(
  size: number | undefined,
  codes: { get?: number; put?: number; locked?: boolean } = {},
  settings = {},
) {
  const arena = countingArena();
  const made: string[] = [];
  const info = { valid: false, size: 0, replicas: [] as { serviceId: number; medium: 'DRAM' }[] };
  const query = (name: string) => (key: string) => {
    made.push(`${name} ${key}`);
    info.valid = size !== undefined;
    info.size = size ?? 0;
    info.replicas = [{ serviceId: 4, medium: 'DRAM' }];
    return codes.locked ? undefined : 0;
  };
  const answer = (label: string, code: number) => {
    made.push(label);
    return code;
  };
  const answerHere = (label: string, code: number) => {
    const given = answer(label, code);
    return codes.locked ? undefined : given;
  };
  const sync: SyncCalls = {
    info,
    query: query('query'),
    queryFull: query('queryFull'),
    get: (key, block, length) => {
      block.view.fill(7);
      return answerHere(`get ${key} ${length}`, codes.get ?? 0);
    },
    put: (key, _block, length) => answerHere(`put ${key} ${length}`, codes.put ?? 0),
    exist: (key) => answerHere(`exist ${key}`, size === undefined ? -3102 : 0),
    remove: (key) => answerHere(`remove ${key}`, size === undefined ? -3102 : 0),
  };
  const later = {
    query: async (key: string) => {
      const replicas = [{ serviceId: 4, medium: 'DRAM' as const }];
      return {
        code: answer(`later query ${key}`, 0),
        info: { valid: size !== undefined, size: size ?? 0, replicas },
      };
    },
    exist: async (key: string) => answer(`later exist ${key}`, size === undefined ? -3102 : 0),
    remove: async (key: string) => answer(`later remove ${key}`, size === undefined ? -3102 : 0),
    get: async (key: string, { length }: Block) =>
      answer(`later get ${key} ${length}`, codes.get ?? 0),
    put: async (key: string, _block: unknown, length: number) =>
      answer(`later put ${key} ${length}`, codes.put ?? 0),
  };
  const single = { ...later, counts: noCounts };
  const scheduler = { arena, deadlineMs: 1000, single, engine: { sync } };
  return { store: new EngineStore(scheduler, { ...plain, ...settings }), made, arena };
}

async function fails(work: () => unknown, slug: ProblemSlug): Promise<void> {
  await assert.rejects(
    async () => work(),
    (error) => error instanceof ProblemError && error.slug === slug,
  );
}

describe('engineStore on an engine that is called on this thread', () => {
  it('reads a small object at once, in two calls', () => {
    const { store, made, arena } = synchronous(3);
    const block = store.read('a');
    assert.ok(!(block instanceof Promise));
    assert.deepEqual([...block.view], [7, 7, 7]);
    assert.deepEqual(made, ['query a', 'get a 3']);
    block.release();
    assert.equal(arena.used, 0);
  });

  it('reads at once up to the limit of copies on this thread, and larger objects on another', async () => {
    const at = synchronous(SYNC_COPY_BYTES);
    assert.ok(!(at.store.read('a') instanceof Promise));
    const past = synchronous(SYNC_COPY_BYTES + 1);
    assert.ok(past.store.read('a') instanceof Promise);
    await past.store.read('a');
    assert.equal(past.made.at(-1), `later get a ${SYNC_COPY_BYTES + 1}`);
  });

  it('writes at once up to the same limit', async () => {
    for (const [bytes, calls] of [
      [SYNC_COPY_BYTES, [`put a ${SYNC_COPY_BYTES}`]],
      [SYNC_COPY_BYTES + 1, ['exist a', `later put a ${SYNC_COPY_BYTES + 1}`]],
    ] as const) {
      const { store, made, arena } = synchronous(undefined);
      const block = arena.tryAllocate(bytes);
      assert.ok(block);
      assert.equal(await store.write('a', block, bytes, anywhere, 'fail'), 'created');
      assert.deepEqual(made, calls);
      assert.equal(arena.used, 1);
    }
  });

  it('finds a large object at once, and copies only its replacement', async () => {
    const bytes = SYNC_COPY_BYTES + 1;
    const { store, made, arena } = synchronous(3, { put: -3006 });
    const block = arena.tryAllocate(bytes);
    assert.ok(block);
    const write = (ifExists: 'keep' | 'fail') => store.write('a', block, bytes, anywhere, ifExists);
    assert.equal(await write('keep'), 'kept');
    await fails(() => write('fail'), 'object-exists');
    assert.deepEqual(made, ['exist a', `put a ${bytes}`, 'exist a', `put a ${bytes}`]);
  });

  it('explains a failure on this thread, and leaks no block', async () => {
    const missing = synchronous(undefined);
    await fails(() => missing.store.read('a'), 'object-not-found');
    await fails(() => missing.store.stat('a'), 'object-not-found');
    await fails(() => missing.store.remove('a'), 'object-not-found');
    assert.equal(await missing.store.exists('a'), false);
    const broken = synchronous(3, { get: -1, put: -3006 });
    await fails(() => broken.store.read('a'), 'read-not-trusted');
    assert.equal(broken.arena.used, 0);
    const block = broken.arena.tryAllocate(3);
    assert.ok(block);
    await fails(() => broken.store.write('a', block, 3, anywhere, 'fail'), 'object-exists');
  });

  it('makes the call on another thread if another process holds a required lock', async () => {
    const { store, made, arena } = synchronous(3, { locked: true });
    const block = await store.read('a');
    assert.deepEqual([...block.view], [7, 7, 7]);
    block.release();
    assert.equal((await store.stat('a')).size, 3);
    assert.equal(await store.exists('a'), true);
    await store.remove('a');
    const own = arena.tryAllocate(3);
    assert.ok(own);
    assert.equal(await store.write('a', own, 3, anywhere, 'fail'), 'created');
    own.release();
    const later = made.filter((call) => call.startsWith('later '));
    assert.deepEqual(later, [
      'later query a',
      'later get a 3',
      'later query a',
      'later exist a',
      'later remove a',
      'later put a 3',
    ]);
    assert.equal(arena.used, 0);
  });

  it('makes no call twice to explain its result', async () => {
    const missing = synchronous(undefined);
    await fails(() => missing.store.remove('a'), 'object-not-found');
    assert.deepEqual(missing.made, ['remove a']);
    for (const [put, slug] of [
      [-3006, 'object-exists'],
      [-3004, 'engine-timeout'],
    ] as const) {
      const { store, made, arena } = synchronous(3, { put });
      const block = arena.tryAllocate(3);
      assert.ok(block);
      await fails(() => store.write('a', block, 3, anywhere, 'fail'), slug);
      assert.deepEqual(made, ['put a 3']);
    }
    for (const [get, slug] of [
      [UNTRUSTED_READ, 'read-not-trusted'],
      [-3004, 'engine-timeout'],
    ] as const) {
      const { store, made } = synchronous(3, { get });
      await fails(() => store.read('a'), slug);
      assert.deepEqual(made, ['query a', 'get a 3']);
    }
    const general = synchronous(3, { get: -1 });
    await fails(() => general.store.read('a'), 'read-not-trusted');
    // One on this thread, and two of the read that explains its −1.
    assert.equal(general.made.filter((call) => call === 'get a 3').length, 3);
    const large = synchronous(SYNC_COPY_BYTES + 1);
    await large.store.read('a');
    assert.deepEqual(large.made, ['query a', `later get a ${SYNC_COPY_BYTES + 1}`]);
  });

  it('uses no older block after the engine has refused to read the object', async () => {
    const codes: { get?: number; locked?: boolean } = { locked: true };
    const sharing = { singleFlight: true, staleReadMs: 60_000 };
    const { store } = synchronous(100 * 1024, codes, sharing);
    const older = await store.read('a');
    codes.locked = false;
    codes.get = -1;
    await fails(() => store.read('a'), 'read-not-trusted');
    older.release();
  });

  it('returns a stat that later queries do not change', async () => {
    const { store } = synchronous(3);
    const first = await store.stat('a');
    await store.stat('b');
    assert.deepEqual(first, { valid: true, size: 3, replicas: [{ serviceId: 4, medium: 'DRAM' }] });
  });
});

describe('engineStore on an engine with asynchronous calls', () => {
  it('calls the engine once for each successful operation', async () => {
    const { store, made, finished, arena } = asynchronous({
      query: [{ size: 3 }, { size: 4 }],
      get: [0],
      put: [0],
      exist: [0],
      remove: [0],
    });
    (await store.read('a')).release();
    assert.equal((await store.stat('a')).size, 4);
    assert.equal(await store.exists('a'), true);
    await store.remove('a');
    const block = arena.tryAllocate(1);
    assert.ok(block);
    assert.equal(await store.write('a', block, 1, anywhere, 'fail'), 'created');
    assert.deepEqual(made, ['query a', 'get a 3', 'query a', 'exist a', 'remove a', 'put a 1']);
    finished();
  });

  it('counts an object that is being written as existing', async () => {
    assert.equal(await asynchronous({ exist: [-3007] }).store.exists('a'), true);
    assert.equal(await asynchronous({ exist: [-3102] }).store.exists('a'), false);
    await fails(() => asynchronous({ exist: [-3014] }).store.exists('a'), 'engine-unavailable');
  });

  it('reports an object without a readable replica as being written', async () => {
    const { store } = asynchronous({ query: [{ size: 3, replicas: [] }] });
    await fails(() => store.stat('a'), 'object-being-written');
  });

  it('maps errors of the native code to problems', async () => {
    const late = new EngineDeadlineError('get', 5);
    const stuck = new EngineStuckError('query', 16);
    await fails(() => asynchronous({ query: [late] }).store.read('a'), 'engine-timeout');
    await fails(() => asynchronous({ query: [stuck] }).store.stat('a'), 'engine-stuck');
    await fails(() => asynchronous({ exist: [stuck] }).store.exists('a'), 'engine-stuck');
    await fails(() => asynchronous({ remove: [late] }).store.remove('a'), 'engine-timeout');
    const full = asynchronous({}, countingArena(10));
    await fails(() => full.store.reserve(11), 'arena-full');
  });

  it('passes on defects unchanged', async () => {
    const defect = new TypeError('a defect');
    await assert.rejects(async () => asynchronous({ query: [defect] }).store.read('a'), defect);
  });
});

describe('engineStore and its remembered sizes', () => {
  const sized = (script: Script) => asynchronous(script, countingArena(), { sizeCacheKeys: 10 });

  it('reads without a query after a put, a read or a stat', async () => {
    const put = sized({ put: [0], get: [0] });
    const block = put.arena.tryAllocate(3);
    assert.ok(block);
    assert.equal(await put.store.write('a', block, 3, anywhere, 'fail'), 'created');
    (await put.store.read('a')).release();
    assert.deepEqual(put.made, ['put a 3', 'get a 3']);
    const read = sized({ query: [{ size: 4 }], get: [0, 0] });
    (await read.store.read('a')).release();
    (await read.store.read('a')).release();
    assert.deepEqual(read.made, ['query a', 'get a 4', 'get a 4']);
    const stat = sized({ query: [{ size: 5 }], get: [0] });
    await stat.store.stat('a');
    (await stat.store.read('a')).release();
    assert.deepEqual(stat.made, ['query a', 'get a 5']);
    const { sizedReads, staleReads, knownSizes } = stat.store.counts();
    assert.deepEqual([sizedReads, staleReads, knownSizes], [1, 0, 1]);
  });

  it('queries again if the size has changed, without an error for the client', async () => {
    const { store, made, arena, finished } = sized({
      query: [{ size: 5 }, { size: 7 }],
      get: [-1, 0, 0],
    });
    await store.stat('a');
    const block = await store.read('a');
    assert.equal(block.length, 7);
    block.release();
    (await store.read('a')).release();
    assert.deepEqual(made, ['query a', 'get a 5', 'query a', 'get a 7', 'get a 7']);
    assert.equal(store.counts().staleReads, 1);
    assert.equal(arena.used, 0);
    finished();
  });

  it('reports that an object was removed although it remembers its size', async () => {
    const { store, made, arena } = sized({ query: [{ size: 5 }, 'missing', 'missing'], get: [-1] });
    await store.stat('a');
    await fails(() => store.read('a'), 'object-not-found');
    await fails(() => store.read('a'), 'object-not-found');
    assert.deepEqual(made, ['query a', 'get a 5', 'query a', 'query a']);
    assert.equal(arena.used, 0);
  });

  it('forgets the size of an object that it has removed, or failed to write', async () => {
    for (const change of ['remove', 'write'] as const) {
      const { store, made, arena } = sized({
        query: [{ size: 5 }, 'missing'],
        remove: [0],
        put: [-3014],
      });
      await store.stat('a');
      if (change === 'remove') await store.remove('a');
      else {
        const block = arena.tryAllocate(3);
        assert.ok(block);
        await fails(() => store.write('a', block, 3, anywhere, 'fail'), 'engine-unavailable');
      }
      await fails(() => store.read('a'), 'object-not-found');
      assert.equal(made.at(-1), 'query a');
    }
  });

  it('passes on any other result of a read with a remembered size', async () => {
    const { store, arena } = sized({ query: [{ size: 5 }], get: [-3014] });
    await store.stat('a');
    await fails(() => store.read('a'), 'engine-unavailable');
    assert.equal(arena.used, 0);
  });
});

describe('engineStore with a pool whose figures are known', () => {
  const refused = { put: [-1, -1, -1], exist: [-3102] };
  const write = async (store: EngineStore, arena: ReturnType<typeof countingArena>) => {
    const block = arena.tryAllocate(40);
    assert.ok(block);
    const waiting = { destroyed: false, once: () => undefined, off: () => undefined };
    const twice = { replicas: 2, prefer: [] };
    const settled = Promise.resolve(store.write('a', block, 40, twice, 'fail', waiting));
    const problem = await settled.catch((error: unknown) => error);
    assert.ok(problem instanceof ProblemError, String(problem));
    return problem;
  };

  it('does not wait for room where nothing is evicted, and says what it needs', async () => {
    const room = () => ({ capacityBytes: 99, freeBytes: 7, evicts: false });
    const { store, arena, made } = asynchronous(refused, countingArena(), {
      putWaitMs: 60_000,
      room,
    });
    const { slug, options } = await write(store, arena);
    assert.equal(slug, 'no-room');
    assert.equal(options.retryable, false);
    assert.deepEqual(options.members, { neededBytes: 80, freeBytes: 7, capacityBytes: 99 });
    assert.equal(made.filter((call) => call.startsWith('put a ')).length, 1);
  });

  it('does not read the figures for a put of an object that exists', async () => {
    const room = (): undefined => assert.fail('the figures were read');
    const { store, arena } = asynchronous({ put: [-3006] }, countingArena(), { room });
    assert.equal((await write(store, arena)).slug, 'object-exists');
  });

  it('stops waiting once it knows that nothing is evicted', async () => {
    let asked = 0;
    const room = () => {
      asked += 1;
      return asked < 2 ? undefined : { capacityBytes: 99, freeBytes: 7, evicts: false };
    };
    const script = { put: [-1, -1, -1, -1, -1, -1], exist: [-3102, -3102] };
    const { store, arena, made } = asynchronous(script, countingArena(), {
      putWaitMs: 60_000,
      room,
    });
    const { options } = await write(store, arena);
    assert.equal(options.retryable, false);
    assert.equal(made.filter((call) => call.startsWith('put a ')).length, 2);
  });
});
