import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../src/errors.ts';
import { EngineDeadlineError } from '../../../src/native/errors.ts';
import { MAX_CALL_KEYS } from '../../../src/store/batch-keys.ts';
import {
  planRead,
  type ReadPlan,
  type ReadWindow,
  readWindow,
} from '../../../src/store/batch-read.ts';
import { ClientGoneError } from '../../../src/store/client-gone.ts';
import {
  type BatchStep,
  filled,
  scriptedBatches,
  smallArena,
} from '../../helpers/scripted-batches.ts';

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

/** What a window has of each item: the slug of its problem, or how often which byte. */
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
  it('knows the size of each object, or why it cannot be had', async () => {
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

  it('has the same problem for all that a later call did not reach', async () => {
    const sizes = Array.from({ length: MAX_CALL_KEYS }, () => 1);
    const late = new EngineDeadlineError('batch_query', 5);
    const { context } = reader(['query', sizes], ['query', late]);
    const keys = Array.from({ length: MAX_CALL_KEYS + 2 }, (_, i) => `k${i}`);
    const { problems } = await planRead(context.engine, keys);
    assert.deepEqual([...problems.keys()], [MAX_CALL_KEYS, MAX_CALL_KEYS + 1]);
    assert.equal(problems.get(MAX_CALL_KEYS)?.slug, 'engine-timeout');
  });

  it('fails when nothing is known of any', async () => {
    const { context } = reader(['query', new EngineDeadlineError('batch_query', 5)]);
    await assert.rejects(planRead(context.engine, ['a']), isProblem('engine-timeout'));
  });
});

describe('readWindow', () => {
  it('reads a plan larger than the arena window by window, in order, duplicates too', async () => {
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

  it('takes exactly as much as a window holds, and an object that is larger alone', async () => {
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

  it('asks for no room and no object when there is nothing to read', async () => {
    const { context, arena, made } = reader(['query', ['missing', 0]]);
    const plan = await planRead(context.engine, ['a', 'b']);
    const window = await readWindow(context, plan, 0, undefined);
    assert.deepEqual(contents(plan, window), ['object-not-found', '']);
    assert.equal(window.block, undefined);
    assert.equal(arena.stats().blocks, 0);
    assert.equal((await readWindow(context, plan, 2, undefined)).to, 2);
    assert.deepEqual(made, ['query a b']);
  });

  it('takes no more keys than the engine does, however small their objects', async () => {
    const small = (count: number) => Array.from({ length: count }, () => 1);
    const arena = smallArena(16 * MAX_CALL_KEYS);
    const { engine } = scriptedBatches(arena, [
      ['query', small(MAX_CALL_KEYS)],
      ['query', [1]],
      get,
    ]);
    const context = { engine, arenaWaitMs: 5 };
    const keys = Array.from({ length: MAX_CALL_KEYS + 1 }, (_, i) => `k${i}`);
    const plan = await planRead(context.engine, keys);
    const window = await readWindow(context, plan, 0, undefined);
    assert.equal(window.to, MAX_CALL_KEYS);
    release(window);
  });

  it('makes a problem of what the engine refuses, and leaves the others where they belong', async () => {
    const { context, arena } = reader(['query', [3, 5, 7]], ['get', [0, -3010, 0]]);
    const plan = await planRead(context.engine, ['a', 'b', 'c']);
    const window = await readWindow(context, plan, 0, undefined);
    assert.deepEqual(contents(plan, window), ['a:3', 'engine-network-fault', 'c:7']);
    assert.equal(plan.sizes[1], 0);
    release(window);
    assert.equal(arena.stats().blocks, 0);
  });

  it('takes in what had another length and what was read at the second try', async () => {
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

  it('fails, holding nothing, when a call is not answered, the second try included', async () => {
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

  it('fails when there is no room in time, or its caller has left, and asks nothing then', async () => {
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

  it('waits for room, and reads when there is some', async () => {
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
