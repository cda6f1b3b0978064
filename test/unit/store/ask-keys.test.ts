import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../src/errors/problems.ts';
import {
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../../../src/native/abi/errors.ts';
import { MAX_BATCH_KEYS } from '../../../src/native/abi/limits.ts';
import type { DataInfo } from '../../../src/native/abi/types.ts';
import type { BatchCalls } from '../../../src/scheduler/batch-calls.ts';
import { askForKeys, type ItemInfos, queryKeys } from '../../../src/store/ask-keys.ts';
import { type BatchStep, scriptedBatches } from '../../helpers/engine/scripted-batches.ts';
import { countingArena } from '../../helpers/engine/scripted-engine.ts';

const keysUpTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${i}`);
const scripted = (...steps: BatchStep[]) => scriptedBatches(countingArena(), steps);
const all = (code: number) => (keys: readonly string[]) => keys.map(() => code);
const isProblem = (slug: ProblemSlug) => (error: unknown) =>
  error instanceof ProblemError && error.slug === slug;

describe('askForKeys', () => {
  it('returns the code of each key, in order, including duplicates', async () => {
    const { engine, made } = scripted(['exist', [0, -3102, 0, -3007]]);
    const { codes, stopped } = await askForKeys(engine, 'exists', ['a', 'b', 'a', 'c']);
    assert.deepEqual([...codes], [0, -3102, 0, -3007]);
    assert.equal(stopped, undefined);
    assert.deepEqual(made, ['exist a b a c']);
  });

  it('makes no call for no keys', async () => {
    const { engine, made } = scripted();
    assert.equal((await askForKeys(engine, 'remove', [])).codes.length, 0);
    assert.deepEqual(made, []);
  });

  it('makes one call for as many keys as the engine accepts, and two for one more', async () => {
    const one = scripted(['remove', all(0)]);
    await askForKeys(one.engine, 'remove', keysUpTo(MAX_BATCH_KEYS));
    assert.deepEqual(one.made, ['remove 16384 keys']);
    const two = scripted(['remove', all(0)], ['remove', [-3104]]);
    const { codes } = await askForKeys(two.engine, 'remove', keysUpTo(MAX_BATCH_KEYS + 1));
    assert.deepEqual(two.made, ['remove 16384 keys', `remove k${MAX_BATCH_KEYS}`]);
    assert.deepEqual([codes[0], codes[MAX_BATCH_KEYS]], [0, -3104]);
  });

  it('fails as a whole if its first call does not return', async () => {
    for (const [error, slug] of [
      [new EngineDeadlineError('batch_exist', 5), 'engine-timeout'],
      [new EngineStuckError('batch_exist', 2), 'engine-stuck'],
      [new EngineClosedError('batch_exist'), 'not-ready'],
    ] as const) {
      const { engine } = scripted(['exist', error]);
      await assert.rejects(askForKeys(engine, 'exists', ['a']), isProblem(slug));
    }
  });

  it('keeps its results if a later call fails, and makes no further call', async () => {
    const late = new EngineDeadlineError('batch_exist', 5);
    const { engine, made } = scripted(['exist', all(-3102)], ['exist', late]);
    const { codes, stopped } = await askForKeys(engine, 'exists', keysUpTo(3 * MAX_BATCH_KEYS));
    assert.equal(made.length, 2);
    assert.equal(codes[MAX_BATCH_KEYS - 1], -3102);
    assert.equal(stopped?.from, MAX_BATCH_KEYS);
    assert.equal(stopped.problem.slug, 'engine-timeout');
  });

  it('passes on a defect from any call', async () => {
    const { engine } = scripted(['exist', all(0)], ['exist', new TypeError('a defect')]);
    await assert.rejects(askForKeys(engine, 'exists', keysUpTo(MAX_BATCH_KEYS + 1)), TypeError);
  });
});

/** As `queryKeys`, with the result of each key. */
async function query(
  engine: BatchCalls,
  operation: 'stat' | 'read',
  keys: readonly string[],
): Promise<ItemInfos> {
  const infos: DataInfo[] = [];
  const answer = await queryKeys(engine, operation, keys, (index, info) => {
    infos[index] = info;
  });
  return { ...answer, infos };
}

describe('queryKeys', () => {
  it('returns sizes, and the code of a missing key', async () => {
    const { engine } = scripted(['query', [3, 'missing', 0]]);
    const { codes, infos } = await query(engine, 'stat', ['a', 'b', 'c']);
    assert.deepEqual([...codes], [0, -3102, 0]);
    assert.deepEqual(
      infos.map(({ size }) => size),
      [3, 0, 0],
    );
  });

  it('returns the code of the whole call for keys without a result', async () => {
    const { engine } = scripted(['query', { code: -3014 }]);
    assert.deepEqual([...(await query(engine, 'read', ['a', 'b'])).codes], [-3014, -3014]);
  });

  it('makes several calls for more keys, with each result in its place', async () => {
    const sizes = Array.from({ length: MAX_BATCH_KEYS }, () => 7);
    const { engine } = scripted(['query', sizes], ['query', [5, 'missing']]);
    const { codes, infos } = await query(engine, 'read', keysUpTo(MAX_BATCH_KEYS + 2));
    assert.deepEqual([codes[1], codes[MAX_BATCH_KEYS + 1]], [0, -3102]);
    assert.deepEqual([infos[0]?.size, infos[MAX_BATCH_KEYS]?.size], [7, 5]);
  });

  it('returns no result for keys after a later call that failed', async () => {
    const sizes = Array.from({ length: MAX_BATCH_KEYS }, () => 7);
    const stuck = new EngineStuckError('batch_query', 2);
    const { engine } = scripted(['query', sizes], ['query', stuck]);
    const answer = await query(engine, 'read', keysUpTo(MAX_BATCH_KEYS + 5));
    assert.equal(answer.infos.length, MAX_BATCH_KEYS);
    assert.equal(answer.stopped?.from, MAX_BATCH_KEYS);
    assert.equal(answer.stopped.problem.slug, 'engine-stuck');
  });
});
