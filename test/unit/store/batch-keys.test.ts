import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../src/errors.ts';
import {
  EngineClosedError,
  EngineDeadlineError,
  EngineStuckError,
} from '../../../src/native/errors.ts';
import type { DataInfo } from '../../../src/native/types.ts';
import type { BatchCalls } from '../../../src/store/batch-calls.ts';
import {
  askForKeys,
  type ItemInfos,
  MAX_CALL_KEYS,
  queryKeys,
} from '../../../src/store/batch-keys.ts';
import { type BatchStep, scriptedBatches } from '../../helpers/scripted-batches.ts';
import { countingArena } from '../../helpers/scripted-engine.ts';

const keysUpTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${i}`);
const scripted = (...steps: BatchStep[]) => scriptedBatches(countingArena(), steps);
const all = (code: number) => (keys: readonly string[]) => keys.map(() => code);
const isProblem = (slug: ProblemSlug) => (error: unknown) =>
  error instanceof ProblemError && error.slug === slug;

describe('askForKeys', () => {
  it('gives the code of each key, in their order, duplicates too', async () => {
    const { engine, made } = scripted(['exist', [0, -3102, 0, -3007]]);
    const { codes, stopped } = await askForKeys(engine, 'exists', ['a', 'b', 'a', 'c']);
    assert.deepEqual([...codes], [0, -3102, 0, -3007]);
    assert.equal(stopped, undefined);
    assert.deepEqual(made, ['exist a b a c']);
  });

  it('asks nothing for no keys', async () => {
    const { engine, made } = scripted();
    assert.equal((await askForKeys(engine, 'remove', [])).codes.length, 0);
    assert.deepEqual(made, []);
  });

  it('asks with one call for as many as the engine takes, and with two for one more', async () => {
    const one = scripted(['remove', all(0)]);
    await askForKeys(one.engine, 'remove', keysUpTo(MAX_CALL_KEYS));
    assert.deepEqual(one.made, ['remove 16384 keys']);
    const two = scripted(['remove', all(0)], ['remove', [-3104]]);
    const { codes } = await askForKeys(two.engine, 'remove', keysUpTo(MAX_CALL_KEYS + 1));
    assert.deepEqual(two.made, ['remove 16384 keys', `remove k${MAX_CALL_KEYS}`]);
    assert.deepEqual([codes[0], codes[MAX_CALL_KEYS]], [0, -3104]);
  });

  it('fails as a whole when its first call is not answered', async () => {
    for (const [error, slug] of [
      [new EngineDeadlineError('batch_exist', 5), 'engine-timeout'],
      [new EngineStuckError('batch_exist', 2), 'engine-stuck'],
      [new EngineClosedError('batch_exist'), 'not-ready'],
    ] as const) {
      const { engine } = scripted(['exist', error]);
      await assert.rejects(askForKeys(engine, 'exists', ['a']), isProblem(slug));
    }
  });

  it('keeps the answers it has when a later call fails, and makes no other', async () => {
    const late = new EngineDeadlineError('batch_exist', 5);
    const { engine, made } = scripted(['exist', all(-3102)], ['exist', late]);
    const { codes, stopped } = await askForKeys(engine, 'exists', keysUpTo(3 * MAX_CALL_KEYS));
    assert.equal(made.length, 2);
    assert.equal(codes[MAX_CALL_KEYS - 1], -3102);
    assert.equal(stopped?.from, MAX_CALL_KEYS);
    assert.equal(stopped.problem.slug, 'engine-timeout');
  });

  it('lets a defect through from any call', async () => {
    const { engine } = scripted(['exist', all(0)], ['exist', new TypeError('a defect')]);
    await assert.rejects(askForKeys(engine, 'exists', keysUpTo(MAX_CALL_KEYS + 1)), TypeError);
  });
});

/** As `queryKeys`, with what was said of each key. */
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
  it('gives sizes, and the code of a missing key where there is none', async () => {
    const { engine } = scripted(['query', [3, 'missing', 0]]);
    const { codes, infos } = await query(engine, 'stat', ['a', 'b', 'c']);
    assert.deepEqual([...codes], [0, -3102, 0]);
    assert.deepEqual(
      infos.map(({ size }) => size),
      [3, 0, 0],
    );
  });

  it('gives the code of the whole call to those that it left without an answer', async () => {
    const { engine } = scripted(['query', { code: -3014 }]);
    assert.deepEqual([...(await query(engine, 'read', ['a', 'b'])).codes], [-3014, -3014]);
  });

  it('asks in several calls for more than one takes, and puts each answer in its place', async () => {
    const sizes = Array.from({ length: MAX_CALL_KEYS }, () => 7);
    const { engine } = scripted(['query', sizes], ['query', [5, 'missing']]);
    const { codes, infos } = await query(engine, 'read', keysUpTo(MAX_CALL_KEYS + 2));
    assert.deepEqual([codes[1], codes[MAX_CALL_KEYS + 1]], [0, -3102]);
    assert.deepEqual([infos[0]?.size, infos[MAX_CALL_KEYS]?.size], [7, 5]);
  });

  it('knows of nothing behind a later call that failed', async () => {
    const sizes = Array.from({ length: MAX_CALL_KEYS }, () => 7);
    const stuck = new EngineStuckError('batch_query', 2);
    const { engine } = scripted(['query', sizes], ['query', stuck]);
    const answer = await query(engine, 'read', keysUpTo(MAX_CALL_KEYS + 5));
    assert.equal(answer.infos.length, MAX_CALL_KEYS);
    assert.equal(answer.stopped?.from, MAX_CALL_KEYS);
    assert.equal(answer.stopped.problem.slug, 'engine-stuck');
  });
});
