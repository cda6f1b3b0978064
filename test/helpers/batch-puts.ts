import assert from 'node:assert/strict';
import type { ProblemError } from '../../src/errors.ts';
import { putBatch } from '../../src/store/batch-put.ts';
import type { IfExists } from '../../src/store/object-store.ts';
import { type BatchStep, scriptedBatches } from './scripted-batches.ts';
import { countingArena } from './scripted-engine.ts';

/** Puts `a:1 b:2 …`, and gives the outcome of each: a word, or a slug with its code. */
export async function put(keys: string, ifExists: IfExists, steps: readonly BatchStep[]) {
  const arena = countingArena();
  const scripted = scriptedBatches(arena, steps);
  const settled = new Map<number, string>();
  const items = [...keys].map((key, index) => {
    const block = arena.tryAllocate(index + 1);
    assert.ok(block);
    return { index, key, block };
  });
  const context = {
    engine: scripted.engine,
    store: scripted,
    options: { replicas: 2, prefer: [] },
    ifExists,
    settle(index: number, outcome: string | ProblemError) {
      assert.ok(!settled.has(index), `${index} was settled twice`);
      settled.set(
        index,
        typeof outcome === 'string' ? outcome : `${outcome.slug} ${outcome.options.code}`,
      );
    },
  };
  const failed = await putBatch(context, items).then(
    () => undefined,
    (error: unknown) => error,
  );
  scripted.finished();
  assert.equal(arena.used, items.length, 'blocks stay with the caller');
  for (const { block } of items) block.release();
  assert.equal(arena.used, 0, 'nobody else holds one');
  const outcomes = items.map(({ index }) => settled.get(index));
  return { outcomes, made: scripted.made, failed };
}

/** As `put`, and these are the outcomes; gives the calls that were made. */
export async function puts(
  keys: string,
  ifExists: IfExists,
  steps: readonly BatchStep[],
  outcomes: readonly string[],
): Promise<string[]> {
  const result = await put(keys, ifExists, steps);
  assert.equal(result.failed, undefined);
  assert.deepEqual(result.outcomes, outcomes);
  return result.made;
}
