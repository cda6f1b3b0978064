import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArenaFullError } from '../../../../src/native/abi/errors.ts';
import { MemoryArena } from '../../../../src/native/arena/arena.ts';
import { asNative } from '../../../../src/native/arena/native-block.ts';
import type { Address } from '../../../../src/os/libc.ts';
import { must, settled } from '../../../helpers/memory/allocations.ts';

const base = 0x100000;

function arenaOf(sizes: number[], debug = true): MemoryArena {
  let address = base;
  const memory = sizes.map((size) => {
    const region = { address: address as Address, bytes: Buffer.alloc(size) };
    address += size;
    return region;
  });
  return new MemoryArena(memory, { debug });
}

const patient = { deadlineMs: 60_000 };

describe('MemoryArena', () => {
  it('allocates separate blocks of the requested length, with their addresses', () => {
    const arena = arenaOf([4096]);
    const first = must(arena.tryAllocate(1));
    const second = must(arena.tryAllocate(65));
    const third = must(arena.tryAllocate(64));
    assert.deepEqual([first.view.length, second.view.length, third.view.length], [1, 65, 64]);
    const places = [first, second, third].map((block) => asNative(block).address - base);
    assert.deepEqual(places, [0, 64, 192]);
    first.view.fill(1);
    second.view.fill(2);
    third.view.fill(3);
    assert.ok(first.view.every((byte) => byte === 1) && second.view.every((byte) => byte === 2));
    assert.deepEqual(arena.stats(), {
      totalBytes: 4096,
      usedBytes: 256,
      blocks: 3,
      waiters: 0,
      waitingBytes: 0,
    });
  });

  it('allocates the whole arena as one block, and then nothing else', () => {
    const arena = arenaOf([4096]);
    assert.equal(arena.maxBlockBytes, 4096);
    const all = must(arena.tryAllocate(4096));
    assert.equal(arena.tryAllocate(1), undefined);
    all.release();
    assert.equal(arena.tryAllocate(4097), undefined);
    assert.equal(must(arena.tryAllocate(4096)).length, 4096);
  });

  it('keeps a block within one region and continues in the next', () => {
    const arena = arenaOf([1024, 2048]);
    assert.equal(arena.totalBytes, 3072);
    assert.equal(arena.maxBlockBytes, 2048);
    assert.equal(arena.tryAllocate(3072), undefined);
    const large = must(arena.tryAllocate(1500));
    assert.equal(asNative(large).address, base + 1024);
    assert.equal(asNative(must(arena.tryAllocate(1024))).address, base);
  });

  for (const bytes of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`refuses a block of ${bytes} bytes`, async () => {
      const arena = arenaOf([4096]);
      assert.throws(() => arena.tryAllocate(bytes), RangeError);
      await assert.rejects(arena.allocate(bytes, patient), RangeError);
    });
  }

  it('rejects at once a request that can never fit', async () => {
    await assert.rejects(arenaOf([4096]).allocate(4097, patient), RangeError);
  });

  it('releases a block with its last user, and not before', () => {
    const arena = arenaOf([64]);
    const block = must(arena.tryAllocate(64));
    block.retain();
    block.release();
    assert.equal(arena.tryAllocate(1), undefined);
    block.release();
    assert.ok(arena.tryAllocate(1));
  });

  it('throws when a released block is released, retained or read again, even if its place is reused', () => {
    const arena = arenaOf([64]);
    const block = must(arena.tryAllocate(64));
    block.release();
    const next = must(arena.tryAllocate(64));
    assert.throws(() => block.release(), /released twice/);
    assert.throws(() => block.retain(), /released block/);
    assert.throws(() => block.view, /released block/);
    assert.equal(arena.stats().blocks, 1);
    next.release();
  });

  it('poisons released blocks in debug mode, all of their granules', () => {
    const arena = arenaOf([128]);
    const block = must(arena.tryAllocate(65));
    const { view } = block;
    view.fill(1);
    block.release();
    assert.ok(view.every((byte) => byte === 0xdb));
  });

  it('does not change released bytes without debug mode', () => {
    const block = must(arenaOf([64], false).tryAllocate(64));
    const { view } = block;
    view.fill(1);
    block.release();
    assert.ok(view.every((byte) => byte === 1));
  });

  it('allocates and releases a small block within a microsecond (bound here: 5)', () => {
    const arena = arenaOf([1 << 20], false);
    const rounds = Array.from({ length: 10 }, () => {
      const start = performance.now();
      for (let i = 0; i < 20_000; i++) must(arena.tryAllocate(1024)).release();
      return ((performance.now() - start) * 1000) / 20_000;
    });
    assert.ok(Math.min(...rounds) < 5, `${Math.min(...rounds)} µs`);
  });
});

describe('waiting for memory', () => {
  it('serves waiters in order of request, a large one before later small ones', async () => {
    const arena = arenaOf([1024]);
    const blocks = Array.from({ length: 4 }, () => must(arena.tryAllocate(256)));
    const order: string[] = [];
    const large = arena.allocate(512, patient).finally(() => order.push('large'));
    const small = arena.allocate(64, patient).finally(() => order.push('small'));
    assert.deepEqual(
      { ...arena.stats(), totalBytes: 0 },
      {
        totalBytes: 0,
        usedBytes: 1024,
        blocks: 4,
        waiters: 2,
        waitingBytes: 576,
      },
    );
    blocks[0]?.release();
    assert.equal(await settled(small), false, 'the small one does not overtake');
    assert.equal(arena.tryAllocate(64), undefined, 'nor does a newcomer');
    blocks[2]?.release();
    assert.equal(await settled(large), false, 'two runs of 256 are no run of 512');
    blocks[1]?.release();
    await Promise.all([large, small]);
    assert.deepEqual(order, ['large', 'small']);
    assert.equal(arena.stats().waiters, 0);
  });

  it('rejects with ArenaFullError after the deadline, and serves the next waiter', async () => {
    const arena = arenaOf([1024]);
    const half = must(arena.tryAllocate(512));
    const large = arena.allocate(1024, { deadlineMs: 20 });
    const small = arena.allocate(512, patient);
    await assert.rejects(large, (error: unknown) => {
      assert.ok(error instanceof ArenaFullError);
      assert.deepEqual([error.bytes, error.deadlineMs], [1024, 20]);
      return true;
    });
    assert.equal((await small).length, 512);
    half.release();
  });

  it('rejects with the reason of its signal, at any place in the queue', async () => {
    const arena = arenaOf([64]);
    const block = must(arena.tryAllocate(64));
    const waits = ['a', 'b', 'c'].map((name) => {
      const controller = new AbortController();
      return {
        name,
        controller,
        promise: arena.allocate(64, { ...patient, signal: controller.signal }),
      };
    });
    const [a, b, c] = waits as [(typeof waits)[0], (typeof waits)[0], (typeof waits)[0]];
    const gone = new Error('the client went away');
    b.controller.abort(gone);
    await assert.rejects(b.promise, gone);
    a.controller.abort(gone);
    await assert.rejects(a.promise, gone);
    assert.equal(arena.stats().waitingBytes, 64);
    block.release();
    const given = await c.promise;
    c.controller.abort(gone);
    assert.equal(given.length, 64, 'an abort after the block was given changes nothing');
    given.release();
    assert.equal(arena.stats().blocks, 0);
  });

  it('does not queue for an aborted signal', async () => {
    const arena = arenaOf([64]);
    const reason = new Error('too late');
    await assert.rejects(
      arena.allocate(64, { ...patient, signal: AbortSignal.abort(reason) }),
      reason,
    );
    assert.deepEqual([arena.stats().waiters, arena.stats().blocks], [0, 0]);
  });

  it('serves as many waiters as fit into one released block', async () => {
    const arena = arenaOf([1024]);
    const block = must(arena.tryAllocate(1024));
    const waits = Array.from({ length: 16 }, () => arena.allocate(64, patient));
    block.release();
    assert.equal((await Promise.all(waits)).length, 16);
    assert.equal(arena.stats().usedBytes, 1024);
  });
});

describe('a slice of a block', () => {
  it('keeps the block in use until its own release', () => {
    const arena = arenaOf([1024]);
    const block = asNative(must(arena.tryAllocate(1024)));
    const slice = block.slice(64, 100);
    block.release();
    slice.view.fill(7);
    assert.equal(slice.address, base + 64);
    assert.equal(arena.tryAllocate(1), undefined);
    slice.release();
    assert.throws(() => slice.view.length, /bytes of a released block/);
    assert.throws(() => slice.release(), /released twice/);
    assert.throws(() => slice.retain(), /released block was retained/);
    assert.equal(arena.stats().blocks, 0);
  });

  it('is inside its block', () => {
    const block = asNative(must(arenaOf([1024]).tryAllocate(100)));
    assert.equal(block.slice(99, 1).length, 1);
    assert.throws(() => block.slice(100, 1), RangeError);
    assert.throws(() => block.slice(0, 101), RangeError);
    assert.throws(() => block.slice(-1, 2), RangeError);
    assert.throws(() => block.slice(0, 0), RangeError);
  });
});
