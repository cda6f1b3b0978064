import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArenaFullError } from '../../../../src/native/abi/errors.ts';
import type { Block } from '../../../../src/native/abi/types.ts';
import { MemoryArena } from '../../../../src/native/arena/arena.ts';
import { asNative } from '../../../../src/native/arena/native-block.ts';
import type { Address } from '../../../../src/os/libc.ts';
import { must, settled } from '../../../helpers/memory/allocations.ts';

const kibibyte = 1024;
const small = 64 * kibibyte;
/** Timeout of the suite: some requests still wait when a test ends, and keep the process alive. */
const patient = { deadlineMs: 10_000 };
const arenaStart = 0x100000;
const reserveStart = 0x800000;

function arenaOf(bytes: number, reserveBytes: number): MemoryArena {
  return new MemoryArena([{ address: arenaStart as Address, bytes: Buffer.alloc(bytes) }], {
    debug: true,
    reserve:
      reserveBytes === 0
        ? []
        : [{ address: reserveStart as Address, bytes: Buffer.alloc(reserveBytes) }],
  });
}

const isReserved = (block: Block): boolean => asNative(block).address >= reserveStart;

describe('the reserve of an arena', { timeout: 10_000 }, () => {
  it('has blocks of at most 64 KiB, and none that is one byte larger', () => {
    const arena = arenaOf(1 << 20, 2 * small);
    assert.equal(isReserved(must(arena.tryAllocate(small))), true);
    assert.equal(isReserved(must(arena.tryAllocate(small + 1))), false);
    assert.equal(arena.pressure().reserveFreeBytes, small);
    assert.equal(arena.stats().totalBytes, (1 << 20) + 2 * small);
    assert.deepEqual([arena.totalBytes, arena.maxBlockBytes], [1 << 20, 1 << 20]);
  });

  it('allocates small blocks while large ones hold everything else and more of them wait', async () => {
    const arena = arenaOf(1 << 20, 2 * small);
    const all = must(arena.tryAllocate(1 << 20));
    const waiting = arena.allocate(1 << 20, patient);
    const block = await arena.allocate(small, patient);
    assert.equal(isReserved(block), true);
    assert.ok(arena.tryAllocate(small));
    assert.equal(arena.tryAllocate(small + 1), undefined);
    assert.equal(await settled(waiting), false);
    all.release();
    (await waiting).release();
  });

  it('is full before small blocks use the rest of the arena', () => {
    const arena = arenaOf(1 << 20, small);
    assert.equal(isReserved(must(arena.tryAllocate(small))), true);
    assert.equal(isReserved(must(arena.tryAllocate(small))), false);
  });

  it('serves small waiters in order, a new one after them', async () => {
    const arena = arenaOf(1 << 20, small);
    must(arena.tryAllocate(1 << 20));
    const held = must(arena.tryAllocate(small));
    const first = arena.allocate(small, patient);
    const second = arena.allocate(small, patient);
    assert.equal(arena.tryAllocate(1), undefined);
    held.release();
    const given = await first;
    assert.equal(await settled(second), false);
    given.release();
    await second;
    assert.equal(arena.stats().waiters, 0);
  });

  it('starves neither a large waiter outside it nor an older small one', async () => {
    const arena = arenaOf(1 << 20, small);
    const blocks = Array.from({ length: 17 }, () => must(arena.tryAllocate(small)));
    const older = arena.allocate(small, patient);
    const large = arena.allocate(2 * small, patient);
    const younger = arena.allocate(small, patient);
    // The first block is in the reserve; the others follow each other after it.
    blocks[1]?.release();
    (await older).release();
    assert.equal(await settled(large), false);
    assert.equal(await settled(younger), false, 'it does not take what the large one waits for');
    blocks[2]?.release();
    await large;
    assert.equal(await settled(younger), false);
    blocks[0]?.release();
    assert.equal(isReserved(await younger), true);
  });

  it('gives one peer at most a sixteenth, or one block', () => {
    const arena = arenaOf(1 << 20, 32 * small);
    const peer = {};
    const own = [must(arena.tryAllocate(small, peer)), must(arena.tryAllocate(small, peer))];
    assert.deepEqual(own.map(isReserved), [true, true]);
    assert.equal(isReserved(must(arena.tryAllocate(1, peer))), false);
    assert.equal(isReserved(must(arena.tryAllocate(small, {}))), true);
    own[0]?.release();
    assert.equal(isReserved(must(arena.tryAllocate(small, peer))), true);
  });

  it('serves other peers after a small waiter whose peer holds its share', async () => {
    const arena = arenaOf(1 << 20, 2 * small);
    const all = must(arena.tryAllocate(1 << 20));
    const greedy = {};
    must(arena.tryAllocate(small, greedy));
    const more = arena.allocate(small, { ...patient, peer: greedy });
    assert.equal(await settled(more), false);
    assert.equal(isReserved(must(arena.tryAllocate(small, {}))), true);
    all.release();
    assert.equal(isReserved(await more), false);
  });
});

describe('the share of a peer', { timeout: 10_000 }, () => {
  const total = 1 << 20;
  const quarter = total / 4;

  /** Two peers; `greedy` holds `held` bytes, another peer all others. */
  function shared(held: number) {
    const arena = arenaOf(total, 0);
    const greedy = {};
    return {
      arena,
      greedy,
      own: must(arena.tryAllocate(held, greedy)),
      rest: must(arena.tryAllocate(total - held, {})),
    };
  }

  it('is a quarter of the arena while others wait: up to it, the order of requests applies', async () => {
    const { arena, greedy, rest } = shared(quarter / 2);
    const more = arena.allocate(quarter / 2, { ...patient, peer: greedy });
    const other = arena.allocate(total - quarter / 2, { ...patient, peer: {} });
    rest.release();
    assert.equal((await more).length, quarter / 2);
    assert.equal(await settled(other), false);
  });

  it('is exceeded by one byte more: the peer is skipped until it holds less or waits alone', async () => {
    const { arena, greedy, own, rest } = shared(quarter / 2);
    const more = arena.allocate(quarter / 2 + 1, { ...patient, peer: greedy });
    const other = arena.allocate(total - quarter / 2, { ...patient, peer: {} });
    rest.release();
    const given = await other;
    assert.equal(await settled(more), false, 'there is no room left for it');
    given.release();
    assert.equal((await more).length, quarter / 2 + 1, 'it waits alone');
    own.release();
  });

  it('lets a new waiter within its share pass', async () => {
    const { arena, greedy, rest } = shared(quarter);
    const stays = arena.allocate(total - quarter, { ...patient, peer: {} });
    const more = arena.allocate(quarter, { ...patient, peer: greedy });
    rest.release();
    const block = await stays;
    assert.equal(await settled(more), false);
    block.release();
    await more;
    // The greedy peer waits alone for a block that does not fit; others fit and arrive later.
    const tooMuch = arena.allocate(total, { ...patient, peer: greedy });
    const newcomer = await arena.allocate(quarter, { ...patient, peer: {} });
    assert.equal(await settled(tooMuch), false);
    newcomer.release();
  });

  it('is any one block for a peer that holds nothing', async () => {
    const { arena, rest, own } = shared(quarter);
    const whole = arena.allocate(total, { ...patient, peer: {} });
    const later = arena.allocate(small + 1, { ...patient, peer: {} });
    rest.release();
    own.release();
    assert.equal((await whole).length, total);
    assert.equal(await settled(later), false);
  });

  it('does not count blocks of at most 64 KiB', async () => {
    const { arena, greedy, rest, own } = shared(quarter);
    own.release();
    const blocks = Array.from({ length: 4 }, () => must(arena.tryAllocate(small, greedy)));
    assert.equal(blocks.length * small, quarter);
    const first = arena.allocate(quarter, { ...patient, peer: greedy });
    const other = arena.allocate(total, { ...patient, peer: {} });
    rest.release();
    await first;
    assert.equal(await settled(other), false);
  });

  it('blocks no peer while no other waits', () => {
    const arena = arenaOf(total, 0);
    const peer = {};
    const blocks = Array.from({ length: 8 }, () => must(arena.tryAllocate(total / 8, peer)));
    for (const block of blocks) block.release();
    assert.equal(arena.stats().blocks, 0);
  });

  it('lets two peers beyond their shares wait until one holds less', async () => {
    const arena = arenaOf(total, 0);
    const peers = [{}, {}];
    const held = peers.map((peer) => must(arena.tryAllocate(quarter + 64, peer)));
    const rest = must(arena.tryAllocate(total - 2 * (quarter + 64), {}));
    const [a, b] = peers.map((peer) => arena.allocate(quarter, { ...patient, peer }));
    assert.ok(a !== undefined && b !== undefined);
    rest.release();
    assert.deepEqual([await settled(a), await settled(b)], [false, false]);
    held[1]?.release();
    await b;
    await a;
  });
});

describe('the refusals of an arena', { timeout: 10_000 }, () => {
  it('are counted, and last until there is memory for the refused request', async () => {
    const arena = arenaOf(1 << 20, small);
    assert.deepEqual(arena.pressure(), {
      refusals: 0,
      shareRefusals: 0,
      refusingForMs: undefined,
      reserveFreeBytes: small,
    });
    const most = must(arena.tryAllocate((1 << 20) - small));
    const rest = must(arena.tryAllocate(small));
    const other = must(arena.tryAllocate(small));
    await assert.rejects(arena.allocate(2 * small, { deadlineMs: 1 }), ArenaFullError);
    assert.equal(arena.pressure().refusals, 1);
    assert.ok(Number(arena.pressure().refusingForMs) >= 0);
    rest.release();
    other.release();
    assert.notEqual(arena.pressure().refusingForMs, undefined, 'what is free is too small');
    must(arena.tryAllocate(small)).release();
    assert.notEqual(arena.pressure().refusingForMs, undefined, 'small blocks say nothing');
    most.release();
    assert.deepEqual([arena.pressure().refusals, arena.pressure().refusingForMs], [1, undefined]);
  });

  it('do not count a request that was aborted', async () => {
    const arena = arenaOf(1 << 20, 0);
    must(arena.tryAllocate(1 << 20));
    const gone = new AbortController();
    const waiting = arena.allocate(1, { ...patient, signal: gone.signal });
    gone.abort(new Error('the client left'));
    await assert.rejects(waiting);
    assert.equal(arena.pressure().refusals, 0);
  });
});

describe('a peer that is kept out', { timeout: 10_000 }, () => {
  const total = 1 << 20;
  const peerBytes = total / 2;
  const memory = () => [{ address: arenaStart as Address, bytes: Buffer.alloc(total) }];

  /** `greedy` holds its share and the bytes beyond it, and others hold the rest. */
  function crowded(beyond: number) {
    const arena = new MemoryArena(memory(), { debug: true, peerBytes });
    const greedy = {};
    must(arena.tryAllocate(peerBytes + beyond, greedy));
    must(arena.tryAllocate(total - peerBytes - beyond, {}));
    return { arena, greedy };
  }

  it('holds more than its share while others wait', () => {
    const at = crowded(0);
    const past = crowded(64);
    for (const { arena } of [at, past]) {
      void arena.allocate(2 * small, { ...patient, peer: {} }).catch(() => undefined);
    }
    assert.equal(at.arena.isCrowding(at.greedy), false);
    assert.equal(past.arena.isCrowding(past.greedy), true);
    assert.equal(past.arena.isCrowding(undefined), false);
  });

  it('does not count as such while only it waits', () => {
    const { arena, greedy } = crowded(64);
    assert.equal(arena.isCrowding(greedy), false);
    void arena.allocate(2 * small, { ...patient, peer: greedy }).catch(() => undefined);
    assert.equal(arena.isCrowding(greedy), false);
  });

  it('is refused for its own share, and the others for lack of memory', async () => {
    const { arena, greedy } = crowded(0);
    const other = arena.allocate(2 * small, { deadlineMs: 100, peer: {} });
    const own = arena.allocate(2 * small, { deadlineMs: 1, peer: greedy });
    const isOwnShare = (expected: boolean) => (error: unknown) =>
      error instanceof ArenaFullError && error.isOwnShare === expected;
    await assert.rejects(own, isOwnShare(true));
    const { refusals, shareRefusals, refusingForMs } = arena.pressure();
    assert.deepEqual([refusals, shareRefusals, refusingForMs], [0, 1, undefined]);
    await assert.rejects(other, isOwnShare(false));
    await assert.rejects(
      arena.allocate(2 * small, { deadlineMs: 1, peer: greedy }),
      isOwnShare(false),
    );
    assert.equal(arena.pressure().shareRefusals, 1);
  });
});
