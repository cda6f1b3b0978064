import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { ArenaFullError, EngineDeadlineError } from '../../../../src/native/abi/errors.ts';
import type { MemoryArena } from '../../../../src/native/arena/arena.ts';
import type { PoolBytes } from '../../../../src/store/admission.ts';
import { BatchWriter } from '../../../../src/store/batch/batch-writer.ts';
import { explainNoRoom } from '../../../../src/store/no-room.ts';
import type { PoolRoom } from '../../../../src/store/pool/pool-room.ts';
import {
  type BatchStep,
  filled,
  scriptedBatches,
  smallArena,
} from '../../../helpers/engine/scripted-batches.ts';

/** An eighth of it is collected before it is stored. */
const arenaBytes = 8192;
const arenaWaitMs = 60_000;
const limits = { maxObjectBytes: 5000, unsizedBytes: 3000 };

const large = { arenaBytes: 1 << 20, maxObjectBytes: 1 << 20, unsizedBytes: 300_000 };

interface Given {
  readonly maxObjectBytes?: number;
  readonly arenaBytes?: number;
  readonly arenaWaitMs?: number;
  readonly poolBytes?: PoolBytes;
  readonly room?: PoolRoom;
  readonly unsizedBytes?: number;
}

interface Setup {
  readonly writer: BatchWriter;
  readonly arena: MemoryArena;
  readonly made: readonly string[];
  readonly stored: ReadonlyMap<string, Buffer>;
  /** What the store reported about keys, such as `a 3` or `b ?`. */
  readonly changes: readonly string[];
}

function setup(steps: readonly BatchStep[], given: Given = {}): Setup {
  const sizes = {
    arenaBytes,
    arenaWaitMs,
    poolBytes: undefined,
    room: undefined,
    ...limits,
    ...given,
  };
  const arena = smallArena(sizes.arenaBytes);
  const { engine, write, made, stored } = scriptedBatches(arena, steps);
  const changes: string[] = [];
  const store = {
    write,
    poolBytes: sizes.poolBytes,
    explainNoRoom: (problem: ProblemError, neededBytes: number) =>
      explainNoRoom(problem, neededBytes, () => sizes.room),
    changed: (key: string, bytes: number | undefined) =>
      void changes.push(`${key} ${bytes ?? '?'}`),
    reserve: (bytes: number) =>
      arena.allocate(bytes, { deadlineMs: sizes.arenaWaitMs }).catch((error: unknown) => {
        throw error instanceof ArenaFullError ? new ProblemError('arena-full') : error;
      }),
  };
  const { maxObjectBytes, unsizedBytes } = sizes;
  const context = { engine, store, maxObjectBytes, unsizedBytes, caller: undefined };
  return { writer: new BatchWriter(context), arena, made, stored, changes };
}

/** Passes a value, with or without a known length, in pieces of at most 1000 bytes. */
async function give(writer: BatchWriter, key: string, bytes: number, known = true): Promise<void> {
  await writer.begin(key, known ? bytes : undefined);
  for (let at = 0; at < bytes; at += 1000) {
    await writer.take(Buffer.alloc(Math.min(1000, bytes - at), key));
  }
  await writer.finish();
}

/** The outcome of each value, as a word or a slug; no block is left in the arena. */
async function written({ writer, arena }: Setup): Promise<string[]> {
  const { outcomes } = await writer.written();
  assert.equal(arena.stats().blocks, 0, 'a block leaked');
  return outcomes.map((outcome) =>
    typeof outcome === 'string' ? outcome : (outcome?.slug ?? 'unsettled'),
  );
}

/** Codes that the test resolves. */
function heldBack(codes: readonly number[]) {
  let answer: () => void = () => undefined;
  const coming = new Promise<readonly number[]>((resolve) => {
    answer = () => resolve(codes);
  });
  return { coming, answer: () => answer() };
}

async function isWaiting(promise: void | Promise<void>): Promise<boolean> {
  let settled = false;
  void Promise.resolve(promise).finally(() => {
    settled = true;
  });
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  return !settled;
}

describe('BatchWriter', () => {
  it('stores its values with one call, and reports each to the store', async () => {
    const all = setup([['put', [0, -3016, -3006]]]);
    all.writer.place({ replicas: 2, prefer: [] }, 'keep');
    for (const [i, key] of ['a', 'b', 'c'].entries()) await give(all.writer, key, i + 1);
    assert.deepEqual(await written(all), ['created', 'no-room', 'kept']);
    assert.deepEqual(all.made, ['put a:1 b:2 c:3 replicas=2']);
    assert.deepEqual(all.changes, ['a 1', 'b ?']);
  });

  it('stores nothing before the end if it holds all, then as many at a time as otherwise', async () => {
    const all = setup([
      ['put', [0, 0]],
      ['put', [0, -3016]],
    ]);
    all.writer.holdAll();
    for (const [i, key] of ['a', 'b', 'c', 'd'].entries()) await give(all.writer, key, 600 + i);
    assert.deepEqual(all.made, []);
    assert.deepEqual(await written(all), ['created', 'created', 'created', 'no-room']);
    assert.deepEqual(all.made, ['put a:600 b:601', 'put c:602 d:603']);
  });

  it('releases everything when it is aborted, if it holds all', async () => {
    const all = setup([]);
    all.writer.holdAll();
    await give(all.writer, 'a', 600);
    await all.writer.begin('b', 600);
    await all.writer.discard();
    assert.equal(all.arena.stats().blocks, 0);
  });

  it('does not wait for memory if it holds all, because its own values release none', async () => {
    for (const known of [true, false]) {
      const all = setup([], { maxObjectBytes: arenaBytes, unsizedBytes: arenaBytes });
      all.writer.holdAll();
      await give(all.writer, 'a', arenaBytes / 2);
      await assert.rejects(
        async () => give(all.writer, 'b', arenaBytes, known),
        (error) => error instanceof ProblemError && error.slug === 'arena-full',
      );
      await all.writer.discard();
      assert.equal(all.arena.stats().blocks, 0);
    }
  });

  it('makes no call if there is nothing to store', async () => {
    const all = setup([]);
    assert.deepEqual(await written(all), []);
  });

  it('refuses an empty value, one that is too large, and a duplicate key', async () => {
    const all = setup([['put', [0, 0]]], { poolBytes: { segment: 4500, total: 4500 } });
    await give(all.writer, 'a', 0);
    await give(all.writer, 'b', 0, false);
    await give(all.writer, 'c', limits.maxObjectBytes + 1);
    await give(all.writer, 'd', 4501);
    await give(all.writer, 'e', 1);
    await give(all.writer, 'e', 2);
    await give(all.writer, 'a', 1);
    await give(all.writer, 'f', 1, false);
    assert.deepEqual(await written(all), [
      'empty-object',
      'empty-object',
      'object-too-large',
      'pool-too-small',
      'created',
      'object-exists',
      'object-exists',
      'created',
    ]);
    assert.deepEqual(all.made, ['put e:1 f:1']);
  });

  it('accepts a value of unknown length up to its limit and not one byte more, in a block of its length', async () => {
    const all = setup([
      ['put', [0]],
      ['put', [0]],
    ]);
    await give(all.writer, 'a', limits.unsizedBytes, false);
    await give(all.writer, 'b', limits.unsizedBytes + 1, false);
    await give(all.writer, 'c', 1400, false);
    assert.deepEqual(await written(all), ['created', 'unsized-body-too-large', 'created']);
    assert.deepEqual(all.made, ['put a:3000', 'put c:1400']);
  });

  it('doubles the block of a growing value, and keeps its bytes', async () => {
    const all = setup([['put', [0]]], large);
    const { writer, stored } = all;
    const value = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, at) => at * 7));
    await writer.begin('a', undefined);
    for (let at = 0; at < value.length; at += 150_000) {
      await writer.take(value.subarray(at, at + 150_000));
    }
    await writer.finish();
    assert.deepEqual(await written(all), ['created']);
    assert.ok(stored.get('a')?.equals(value));
  });

  it('reports a call that does not return for all its values, and no others', async () => {
    const late = new EngineDeadlineError('batch_put', 5);
    const all = setup([
      ['put', late],
      ['put', [0]],
    ]);
    await give(all.writer, 'a', 24);
    await give(all.writer, 'b', 1000);
    await give(all.writer, 'c', 1000);
    assert.deepEqual(await written(all), ['engine-timeout', 'engine-timeout', 'created']);
    assert.deepEqual(all.changes, ['a ?', 'b ?', 'c 1000']);
  });

  it('rejects with a defect, at its end at the latest, and then holds nothing', async () => {
    const all = setup([['put', new TypeError('a defect')]]);
    await give(all.writer, 'a', 1);
    await assert.rejects(all.writer.written(), TypeError);
    assert.equal(all.arena.stats().blocks, 0);
  });
});

describe('BatchWriter in a full pool', () => {
  it('reports for each value what it needs itself, though the reason was found for the first', async () => {
    const given = setup(
      [
        ['put', [-1, -1]],
        ['exist', [-3102, -3102]],
        ['put', [-1, -1]],
        ['write', new ProblemError('no-room', { code: -1 })],
      ],
      { room: { capacityBytes: 10_000, freeBytes: 50, evicts: false } },
    );
    given.writer.place({ replicas: 2, prefer: [] }, 'fail');
    await give(given.writer, 'a', 100);
    await give(given.writer, 'b', 200);
    const { outcomes } = await given.writer.written();
    const told = outcomes.map((outcome) =>
      outcome instanceof ProblemError
        ? [outcome.options.members?.['neededBytes'], outcome.options.retryable]
        : outcome,
    );
    assert.deepEqual(told, [
      [200, false],
      [400, false],
    ]);
  });
});

describe('BatchWriter that pauses its source', () => {
  it('has two calls in flight, and pauses before a third', async () => {
    const [first, second] = [heldBack([0]), heldBack([0])];
    const all = setup([
      ['put', first.coming],
      ['put', second.coming],
      ['put', [0]],
    ]);
    const { writer, made } = all;
    await give(writer, 'a', 1024);
    void writer.begin('b', 1024);
    void writer.take(Buffer.alloc(1024));
    const finished = writer.finish();
    assert.ok(await isWaiting(finished));
    assert.deepEqual(made, ['put a:1024', 'put b:1024']);
    second.answer();
    await finished;
    await give(writer, 'c', 1);
    first.answer();
    assert.deepEqual(await written(all), ['created', 'created', 'created']);
  });

  it('passes all its values to the engine before it waits for memory', async () => {
    const first = heldBack([0, 0]);
    const all = setup([
      ['put', first.coming],
      ['put', [0]],
    ]);
    const { writer, arena, made } = all;
    const holder = filled(arena, arenaBytes - 1024, 'x');
    await give(writer, 'a', 512);
    await give(writer, 'b', 320);
    const beginning = writer.begin('c', 512);
    assert.ok(await isWaiting(beginning));
    assert.deepEqual(made, ['put a:512 b:320']);
    first.answer();
    await beginning;
    await writer.take(Buffer.alloc(512, 'c'));
    await writer.finish();
    holder.release();
    assert.deepEqual(await written(all), ['created', 'created', 'created']);
  });

  it('skips the bytes of a value that got no memory in time', async () => {
    const all = setup([['put', [0]]], { arenaWaitMs: 1 });
    const holder = filled(all.arena, arenaBytes - 512, 'x');
    await give(all.writer, 'a', 2000);
    await give(all.writer, 'b', 500);
    holder.release();
    assert.deepEqual(await written(all), ['arena-full', 'created']);
    assert.deepEqual(all.made, ['put b:500']);
  });

  it('waits only for its own calls while a value grows', async () => {
    const first = heldBack([0]);
    const all = setup(
      [
        ['put', first.coming],
        ['put', [0]],
      ],
      large,
    );
    const { writer, arena, made } = all;
    const holder = filled(arena, (1 << 20) - 400_064, 'x');
    await give(writer, 'a', 200_000);
    await writer.begin('b', undefined);
    const taking = writer.take(Buffer.alloc(150_000, 'b'));
    assert.ok(await isWaiting(taking));
    assert.deepEqual(made, ['put a:200000']);
    first.answer();
    await taking;
    // Now it holds the whole arena, so it does not wait for others.
    await writer.take(Buffer.alloc(150_000, 'b'));
    await writer.take(Buffer.alloc(1000, 'b'));
    await writer.finish();
    holder.release();
    assert.deepEqual(await written(all), ['created', 'arena-full']);
  });
});

describe('BatchWriter that is aborted', () => {
  it('releases the arriving value and those that are not with the engine', async () => {
    const { writer, arena, made } = setup([]);
    await give(writer, 'a', 10);
    await writer.begin('b', 2000);
    await writer.take(Buffer.alloc(1000));
    await writer.discard();
    await writer.discard();
    assert.equal(arena.stats().blocks, 0);
    assert.deepEqual(made, []);
  });

  it('keeps the blocks of an engine call until the call returns', async () => {
    const first = heldBack([0]);
    const { writer, arena, changes } = setup([['put', first.coming]]);
    await give(writer, 'a', 1024);
    await writer.discard();
    assert.equal(arena.stats().blocks, 1);
    first.answer();
    await writer.written();
    assert.equal(arena.stats().blocks, 0);
    assert.deepEqual(changes, ['a 1024']);
  });

  it('releases the block for which it was still waiting', async () => {
    const { writer, arena } = setup([]);
    const holder = filled(arena, arenaBytes, 'x');
    const beginning = writer.begin('a', 100);
    await writer.discard();
    holder.release();
    await beginning;
    assert.equal(arena.stats().blocks, 0);
  });

  it('allocates no further memory for a growing value', async () => {
    const first = heldBack([0]);
    const { writer, arena } = setup([['put', first.coming]], large);
    const holder = filled(arena, (1 << 20) - 400_064, 'x');
    await give(writer, 'a', 200_000);
    await writer.begin('b', undefined);
    const taking = writer.take(Buffer.alloc(150_000));
    await writer.discard();
    first.answer();
    await taking;
    holder.release();
    assert.equal(arena.stats().blocks, 0);
  });
});
