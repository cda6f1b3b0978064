import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientGoneError } from '../../../src/errors/client-gone.ts';
import { ProblemError, type ProblemSlug } from '../../../src/errors/problems.ts';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import { MAX_BATCH_KEYS } from '../../../src/native/abi/limits.ts';
import {
  planRead,
  type ReadPlan,
  type ReadWindow,
  readWindow,
} from '../../../src/store/read-objects.ts';
import {
  type BatchStep,
  filled,
  scriptedBatches,
  smallArena,
} from '../../helpers/engine/scripted-batches.ts';

const arenaBytes = 8192;
/** An eighth of the arena. */
const windowBytes = 1024;
const get: BatchStep = ['get', (keys) => keys.map(() => 0)];

function reader(...steps: BatchStep[]) {
  const arena = smallArena(arenaBytes);
  const scripted = scriptedBatches(arena, steps);
  return { context: { engine: scripted.engine, arenaWaitMs: 5 }, arena, ...scripted };
}

const isProblem = (slug: ProblemSlug) => (error: unknown) =>
  error instanceof ProblemError && error.slug === slug;

/** The content of a window for each item: the slug of its problem, or its byte and length. */
function contents(plan: ReadPlan, { from, to, block, offsets, replaced }: ReadWindow): string[] {
  return Array.from({ length: to - from }, (_, n) => {
    const problem = plan.problems.get(from + n);
    if (problem !== undefined) return problem.slug;
    const size = plan.sizes[from + n] as number;
    if (size === 0) return '';
    const other = replaced.get(from + n);
    const start = other === undefined ? (offsets[n] as number) : 0;
    const bytes = (other ?? block)?.view.subarray(start, start + size) ?? Buffer.alloc(0);
    assert.equal(bytes.length, size);
    assert.ok(bytes.every((byte) => byte === bytes[0]));
    return `${String.fromCharCode(bytes[0] as number)}:${size}`;
  });
}

function release({ block, replaced }: ReadWindow): void {
  block?.release();
  for (const other of replaced.values()) other.release();
}

describe('planRead', () => {
  it('knows the size of each object, or its problem', async () => {
    const { context } = reader(['query', [3, 'missing', 0, arenaBytes, arenaBytes + 1]]);
    const { sizes, problems } = await planRead(context.engine, ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual([...sizes], [3, 0, 0, arenaBytes, 0]);
    assert.deepEqual(
      [...problems].map(([index, { slug }]) => [index, slug]),
      [
        [1, 'object-not-found'],
        [4, 'object-too-large'],
      ],
    );
  });

  it('has the same problem for all items that a later call did not reach', async () => {
    const sizes = Array.from({ length: MAX_BATCH_KEYS }, () => 1);
    const late = new EngineDeadlineError('batch_query', 5);
    const { context } = reader(['query', sizes], ['query', late]);
    const keys = Array.from({ length: MAX_BATCH_KEYS + 2 }, (_, i) => `k${i}`);
    const { problems } = await planRead(context.engine, keys);
    assert.deepEqual([...problems.keys()], [MAX_BATCH_KEYS, MAX_BATCH_KEYS + 1]);
    assert.equal(problems.get(MAX_BATCH_KEYS)?.slug, 'engine-timeout');
  });

  it('fails if nothing is known about any item', async () => {
    const { context } = reader(['query', new EngineDeadlineError('batch_query', 5)]);
    await assert.rejects(planRead(context.engine, ['a']), isProblem('engine-timeout'));
  });
});

describe('readWindow', () => {
  it('reads a plan larger than the arena window by window, in order, including duplicates', async () => {
    const sizes = [500, 500, 100, 0, 2000, 1, arenaBytes, 600, 424, 1];
    const keys = ['a', 'b', 'a', 'c', 'd', 'e', 'f', 'b', 'g', 'h'];
    const gets = Array.from({ length: 7 }, () => get);
    const { context, arena, finished } = reader(['query', sizes], ...gets);
    const plan = await planRead(context.engine, keys);
    const windows: string[][] = [];
    for (let from = 0; from < keys.length; ) {
      const window = await readWindow(context, plan, from, undefined);
      assert.equal(window.from, from);
      windows.push(contents(plan, window));
      from = window.to;
      release(window);
      assert.equal(arena.stats().blocks, 0);
    }
    finished();
    assert.deepEqual(windows, [
      ['a:500', 'b:500'],
      ['a:100', ''],
      ['d:2000'],
      ['e:1'],
      [`f:${arenaBytes}`],
      ['b:600', 'g:424'],
      ['h:1'],
    ]);
  });

  it('fills a window exactly, and reads a larger object alone', async () => {
    const { context } = reader(
      ['query', [windowBytes - 1, 1, 1, windowBytes + 1, 1]],
      get,
      get,
      get,
    );
    const plan = await planRead(context.engine, ['a', 'b', 'c', 'd', 'e']);
    const ends: number[] = [];
    for (let from = 0; from < 4; from = ends.at(-1) ?? 9) {
      const window = await readWindow(context, plan, from, undefined);
      ends.push(window.to);
      release(window);
    }
    assert.deepEqual(ends, [2, 3, 4]);
  });

  it('allocates nothing and makes no call if there is nothing to read', async () => {
    const { context, arena, made } = reader(['query', ['missing', 0]]);
    const plan = await planRead(context.engine, ['a', 'b']);
    const window = await readWindow(context, plan, 0, undefined);
    assert.deepEqual(contents(plan, window), ['object-not-found', '']);
    assert.equal(window.block, undefined);
    assert.equal(arena.stats().blocks, 0);
    assert.equal((await readWindow(context, plan, 2, undefined)).to, 2);
    assert.deepEqual(made, ['query a b']);
  });

  it('reads at most as many keys in a call as the engine accepts, however small the objects are', async () => {
    const small = (count: number) => Array.from({ length: count }, () => 1);
    const arena = smallArena(16 * MAX_BATCH_KEYS);
    const { engine } = scriptedBatches(arena, [
      ['query', small(MAX_BATCH_KEYS)],
      ['query', [1]],
      get,
    ]);
    const context = { engine, arenaWaitMs: 5 };
    const keys = Array.from({ length: MAX_BATCH_KEYS + 1 }, (_, i) => `k${i}`);
    const plan = await planRead(context.engine, keys);
    const window = await readWindow(context, plan, 0, undefined);
    assert.equal(window.to, MAX_BATCH_KEYS);
    release(window);
  });

  it('reports a problem for items that the engine refuses, and keeps the places of the others', async () => {
    const { context, arena } = reader(['query', [3, 5, 7]], ['get', [0, -3010, 0]]);
    const plan = await planRead(context.engine, ['a', 'b', 'c']);
    const window = await readWindow(context, plan, 0, undefined);
    assert.deepEqual(contents(plan, window), ['a:3', 'engine-network-fault', 'c:7']);
    assert.equal(plan.sizes[1], 0);
    release(window);
    assert.equal(arena.stats().blocks, 0);
  });

  it('includes items that had another length, and those read at the second try', async () => {
    const { context, arena } = reader(
      ['query', [3, 5, 7, 2]],
      ['get', [-1, -1, 0, -1]],
      ['query', [3, 9, 'missing']],
      ['exist', [0]],
      ['get', [0, 0]],
    );
    const plan = await planRead(context.engine, ['a', 'b', 'c', 'd']);
    const window = await readWindow(context, plan, 0, undefined);
    assert.deepEqual(contents(plan, window), ['a:3', 'b:9', 'c:7', 'object-not-found']);
    assert.equal(arena.stats().blocks, 2);
    release(window);
    assert.equal(arena.stats().blocks, 0);
  });

  it('fails without a block if a call does not return, also at the second try', async () => {
    const late = new EngineDeadlineError('batch_get', 5);
    const phases: BatchStep[][] = [
      [['get', late]],
      [
        ['get', [-1, 0]],
        ['query', late],
      ],
      [
        ['get', [-1, -1]],
        ['query', [4, 4]],
        ['get', late],
      ],
    ];
    for (const steps of phases) {
      const { context, arena, finished } = reader(['query', [3, 3]], ...steps);
      const plan = await planRead(context.engine, ['a', 'b']);
      const window = readWindow(context, plan, 0, undefined);
      await assert.rejects(window, isProblem('engine-timeout'));
      finished();
      assert.equal(arena.stats().blocks, 0);
    }
  });

  it('fails if there is no memory in time, or its client has disconnected, and then makes no call', async () => {
    const { context, arena, made } = reader(['query', [3]]);
    const plan = await planRead(context.engine, ['a']);
    const holder = filled(arena, arenaBytes, 'x');
    await assert.rejects(readWindow(context, plan, 0, undefined), isProblem('arena-full'));
    const gone = { destroyed: true, once: () => 0, off: () => 0 };
    const patient = { ...context, arenaWaitMs: 60_000 };
    await assert.rejects(readWindow(patient, plan, 0, gone), ClientGoneError);
    holder.release();
    assert.deepEqual(made, ['query a']);
    assert.equal(arena.stats().blocks, 0);
  });

  it('passes over any number of objects without bytes', async () => {
    const sizes = Array.from({ length: MAX_BATCH_KEYS }, () => 0);
    const { context } = reader(['query', sizes], ['query', [0, 3]], get);
    const keys = Array.from({ length: MAX_BATCH_KEYS + 2 }, (_, i) => `k${i}`);
    const plan = await planRead(context.engine, keys);
    const window = await readWindow(context, plan, 0, undefined);
    assert.equal(window.to, keys.length);
    release(window);
  });

  it('does not wait for memory for one changed object of several', async () => {
    const { context, arena } = reader(['query', [2048, 3]], ['get', [-1]], ['query', [6000]], get);
    const plan = await planRead(context.engine, ['a', 'b']);
    const holder = filled(arena, 4096, 'x');
    const window = await readWindow({ ...context, arenaWaitMs: 60_000 }, plan, 0, undefined);
    assert.deepEqual(contents(plan, window), ['object-changed']);
    assert.equal(arena.stats().waiters, 0);
    release(window);
    holder.release();
    assert.equal(arena.stats().blocks, 0);
  });

  it('waits for memory, and then reads', async () => {
    const { context, arena } = reader(['query', [3]], ['get', [0]]);
    const plan = await planRead(context.engine, ['a']);
    const holder = filled(arena, arenaBytes, 'x');
    const reading = readWindow({ ...context, arenaWaitMs: 60_000 }, plan, 0, undefined);
    assert.equal(arena.stats().waiters, 1);
    holder.release();
    const window = await reading;
    assert.deepEqual(contents(plan, window), ['a:3']);
    release(window);
    assert.equal(arena.stats().blocks, 0);
  });
});
