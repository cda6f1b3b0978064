import assert from 'node:assert/strict';
import type { ProblemError } from '../../../src/errors/problems.ts';
import type { IfExists } from '../../../src/store/object-store.ts';

import { type WriteItem, writeObjects } from '../../../src/store/write-objects.ts';
import { type BatchStep, scriptedBatches } from '../engine/scripted-batches.ts';
import { countingArena } from '../engine/scripted-engine.ts';

/** Puts `a:1 b:2 …`, and returns the outcome of each: a word, or a slug with its code. */
export async function put(keys: string, ifExists: IfExists, steps: readonly BatchStep[]) {
  const arena = countingArena();
  const scripted = scriptedBatches(arena, steps);
  const settled = new Map<number, string>();
  const items = [...keys].map((key, index) => {
    const block = arena.tryAllocate(index + 1);
    assert.ok(block);
    return { index, key, block };
  });
  const options = { replicas: 2, prefer: [] };
  const context = {
    engine: scripted.engine,
    poolBytes: undefined,
    options,
    ifExists,
    alone: ({ key, block }: WriteItem) =>
      scripted.write(key, block, block.length, options, ifExists),
  };
  function settle(index: number, outcome: string | ProblemError): void {
    assert.ok(!settled.has(index), `${index} was settled twice`);
    settled.set(
      index,
      typeof outcome === 'string' ? outcome : `${outcome.slug} ${outcome.options.code}`,
    );
  }
  const failed = await writeObjects(context, items, settle).then(
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

/** Like `put`, but checks the outcomes and returns the calls. */
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
