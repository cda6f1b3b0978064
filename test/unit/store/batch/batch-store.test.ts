import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { EngineDeadlineError } from '../../../../src/native/abi/errors.ts';
import { batchStore } from '../../../../src/store/batch/batch-store.ts';
import type { ObjectStore } from '../../../../src/store/object-store.ts';
import {
  type BatchStep,
  scriptedBatches,
  smallArena,
} from '../../../helpers/engine/scripted-batches.ts';

function setup(...steps: BatchStep[]) {
  const arena = smallArena(8192);
  const { engine, made } = scriptedBatches(arena, steps);
  const changes: string[] = [];
  const store = {
    changed: (key: string, bytes: number | undefined) =>
      void changes.push(`${key} ${bytes ?? '?'}`),
  };
  const batches = batchStore({ of: () => engine, waiting: 0 }, store as unknown as ObjectStore, {
    arenaWaitMs: 5,
  });
  return { batches, arena, made, changes };
}

describe('batchStore', () => {
  it('reports removed keys to the store, also if the result of the engine is unknown', async () => {
    const done = setup(['remove', [0, -3102]]);
    assert.deepEqual([...(await done.batches.remove(['a', 'b'])).codes], [0, -3102]);
    assert.deepEqual(done.changes, ['a ?', 'b ?']);
    const late = setup(['remove', new EngineDeadlineError('batch_remove', 5)]);
    await assert.rejects(late.batches.remove(['a', 'b']), ProblemError);
    assert.deepEqual(late.changes, ['a ?', 'b ?']);
  });

  it('changes nothing with a query', async () => {
    const { batches, made, changes } = setup(['exist', [0]], ['query', [7]]);
    assert.deepEqual([...(await batches.exists(['a'])).codes], [0]);
    assert.equal((await batches.stat(['a'])).infos[0]?.size, 7);
    assert.deepEqual(made, ['exist a', 'query a']);
    assert.deepEqual(changes, []);
  });

  it('writes and reads through one engine and its arena', async () => {
    const { batches, arena, changes } = setup(['put', [0]], ['query', [3]], ['get', [0]]);
    const writer = batches.writer({ maxObjectBytes: 10, unsizedBytes: 10 });
    await writer.begin('a', 3);
    await writer.take(Buffer.from('aaa'));
    await writer.finish();
    assert.deepEqual((await writer.written()).outcomes, ['created']);
    assert.deepEqual(changes, ['a 3']);
    const plan = await batches.planRead(['a']);
    const { block } = await batches.readWindow(plan, 0);
    assert.equal(block?.view.toString(), 'aaa');
    block.release();
    assert.equal(arena.stats().blocks, 0);
  });
});
