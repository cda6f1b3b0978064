import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError, type ProblemSlug } from '../../../src/errors/problems.ts';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import { MAX_BATCH_KEYS } from '../../../src/native/abi/limits.ts';
import { countLeading } from '../../../src/store/leading-keys.ts';
import { type BatchStep, scriptedBatches } from '../../helpers/engine/scripted-batches.ts';
import { countingArena } from '../../helpers/engine/scripted-engine.ts';

const keysUpTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${i}`);
const all = (keys: readonly string[]) => keys.map(() => 0);
const allBut = (at: number, code: number) => (keys: readonly string[]) =>
  keys.map((_, i) => (i === at ? code : 0));
const isProblem = (slug: ProblemSlug) => (error: unknown) =>
  error instanceof ProblemError && error.slug === slug;

async function count(keys: number, ...steps: BatchStep[]): Promise<number> {
  const scripted = scriptedBatches(countingArena(), steps);
  const leading = await countLeading(scripted.engine, keysUpTo(keys));
  scripted.finished();
  return leading;
}

describe('countLeading', () => {
  it('makes no call for no keys', async () => {
    assert.equal(await count(0), 0);
  });

  it('makes one call for as many keys as the first call has, and two for one more', async () => {
    assert.equal(await count(32, ['exist', all]), 32);
    assert.equal(await count(33, ['exist', all], ['exist', [0]]), 33);
    assert.equal(await count(33, ['exist', all], ['exist', [-3102]]), 32);
  });

  it('asks about the rest only if the first keys exist', async () => {
    for (const missing of [0, 1, 31]) {
      assert.equal(await count(1000, ['exist', allBut(missing, -3102)]), missing);
    }
    assert.equal(await count(1000, ['exist', all], ['exist', allBut(7, -3102)]), 39);
    assert.equal(await count(1000, ['exist', all], ['exist', all]), 1000);
  });

  it('splits the rest like every batch', async () => {
    const most = 32 + MAX_BATCH_KEYS;
    assert.equal(await count(most, ['exist', all], ['exist', all]), most);
    assert.equal(await count(most + 1, ['exist', all], ['exist', all], ['exist', [-3102]]), most);
  });

  it('ends at an object that is being written', async () => {
    assert.equal(await count(3, ['exist', [0, -3007, 0]]), 1);
  });

  it('fails with the problem of a key that the engine cannot check, before the first miss', async () => {
    await assert.rejects(count(3, ['exist', [0, -3014, -3102]]), isProblem('engine-unavailable'));
    assert.equal(await count(3, ['exist', [0, -3102, -3014]]), 1);
  });

  it('fails if a call does not return, unless the count ends before its keys', async () => {
    const late = new EngineDeadlineError('batch_exist', 5);
    await assert.rejects(count(3, ['exist', late]), isProblem('engine-timeout'));
    await assert.rejects(count(99, ['exist', all], ['exist', late]), isProblem('engine-timeout'));
    const most = 33 + MAX_BATCH_KEYS;
    const failing = count(most, ['exist', all], ['exist', all], ['exist', late]);
    await assert.rejects(failing, isProblem('engine-timeout'));
    const ended = ['exist', allBut(5, -3102)] as const;
    assert.equal(await count(most, ['exist', all], ended, ['exist', late]), 37);
  });
});
