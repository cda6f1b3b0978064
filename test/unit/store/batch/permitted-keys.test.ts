import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  infoResults,
  removeResults,
  resultsText,
} from '../../../../src/codecs/json/json-results.ts';
import { sharedProblem } from '../../../../src/errors/problems.ts';
import { batchStore } from '../../../../src/store/batch/batch-store.ts';
import { permittedBatches } from '../../../../src/store/batch/permitted-keys.ts';
import type { ObjectStore } from '../../../../src/store/object-store.ts';
import {
  type BatchStep,
  scriptedBatches,
  smallArena,
} from '../../../helpers/engine/scripted-batches.ts';

const problem = sharedProblem('key-not-permitted');

/** A store that permits keys with the prefix `a/`. */
function setup(...steps: BatchStep[]) {
  const arena = smallArena(8192);
  const { engine, made } = scriptedBatches(arena, steps);
  const store = { changed: () => undefined } as unknown as ObjectStore;
  const all = batchStore({ of: () => engine, waiting: 0 }, store, { arenaWaitMs: 5 });
  const batches = permittedBatches(all, { permits: (key) => key.startsWith('a/'), problem });
  return { batches, arena, made };
}

const keys = ['b', 'a/1', 'c', 'a/2', 'd'];

describe('a batch of which some keys are not permitted', () => {
  it('asks the engine for the others alone, and keeps their places', async () => {
    const { batches, made } = setup(['exist', [0, -3102]], ['remove', [0, -3102]]);
    const exists = await batches.exists(keys);
    assert.deepEqual([...exists.codes], [0, 0, 0, -3102, 0]);
    assert.deepEqual(
      keys.map((_, at) => exists.refused?.has(at)),
      [true, false, true, false, true],
    );
    const text = [...resultsText(removeResults(keys, await batches.remove(keys)))].join('');
    const { items, failed } = JSON.parse(text) as { items: { status: number }[]; failed: number };
    assert.deepEqual(
      items.map(({ status }) => status),
      [403, 204, 403, 404, 403],
    );
    assert.equal(failed, 4);
    assert.deepEqual(made, ['exist a/1 a/2', 'remove a/1 a/2']);
  });

  it('describes and plans the others', async () => {
    const { batches, made } = setup(['query', [7, 9]], ['query', [7, 9]]);
    const info = infoResults(keys, await batches.stat(keys));
    assert.deepEqual([info.failed, info.failures.get('key-not-permitted')], [3, 3]);
    assert.match(info.item(3), /"size":9/);
    const plan = await batches.planRead(keys);
    assert.deepEqual([...plan.sizes], [0, 7, 0, 9, 0]);
    assert.deepEqual(
      [...plan.problems],
      [0, 2, 4].map((at) => [at, problem]),
    );
    assert.equal(plan.keys, keys);
    assert.deepEqual(made, ['query a/1 a/2', 'query a/1 a/2']);
  });

  it('gets no memory for their values', async () => {
    const { batches, arena, made } = setup(['put', [0]]);
    const writer = batches.writer({ maxObjectBytes: 4096, unsizedBytes: 4096 });
    for (const key of ['b', 'b']) {
      for (const bytes of [4096, undefined, 0]) {
        await writer.begin(key, bytes);
        await writer.take(Buffer.alloc(bytes ?? 100));
        assert.equal(arena.stats().blocks, 0);
        await writer.finish();
      }
    }
    await writer.begin('a/1', 1);
    await writer.take(Buffer.from('x'));
    await writer.finish();
    const { outcomes } = await writer.written();
    assert.deepEqual(outcomes, [...Array.from({ length: 6 }, () => problem), 'created']);
    assert.deepEqual(made, ['put a/1:1']);
  });

  it('makes no call when none is permitted, and no difference when all are', async () => {
    const { batches, made } = setup(['exist', [0]]);
    const none = ['b', 'c'];
    assert.deepEqual([...(await batches.exists(none)).codes], [0, 0]);
    assert.equal((await batches.stat(none)).infos.length, 2);
    assert.equal((await batches.planRead(none)).problems.size, 2);
    assert.deepEqual(made, []);
    const all = await batches.exists(['a/1']);
    assert.equal(all.refused, undefined);
    assert.deepEqual(made, ['exist a/1']);
  });

  it('tells where calls were stopped by the places in the batch', async () => {
    const stopped = { from: 1, problem: sharedProblem('engine-timeout') };
    const inner = { exists: () => Promise.resolve({ codes: new Int32Array(2), stopped }) };
    const rule = { permits: (key: string) => key.startsWith('a/'), problem };
    const batches = permittedBatches(inner as never, rule);
    assert.equal((await batches.exists(keys)).stopped?.from, 3);
  });
});
