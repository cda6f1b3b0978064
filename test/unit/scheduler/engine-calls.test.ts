import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import { withinBudget } from '../../../src/scheduler/engine-calls.ts';
import { countingArena, scriptedCalls } from '../../helpers/engine/scripted-engine.ts';

const anywhere = { replicas: 1, prefer: [] };

describe('withinBudget', () => {
  it('passes on every call and its result', async () => {
    const { calls, made, finished } = scriptedCalls({
      query: [{ size: 3 }],
      get: [-1],
      put: [-3006],
      exist: [0],
      remove: [-3102],
    });
    const bounded = withinBudget(calls, 60_000);
    const block = countingArena().tryAllocate(3);
    assert.ok(block);
    assert.equal((await bounded.query('a')).info.size, 3);
    assert.equal(await bounded.get('a', block), -1);
    assert.equal(await bounded.put('a', block, 2, anywhere), -3006);
    assert.equal(await bounded.exist('a'), 0);
    assert.equal(await bounded.remove('a'), -3102);
    assert.deepEqual(made, ['query a', 'get a 3', 'put a 2', 'exist a', 'remove a']);
    finished();
  });

  it('begins no call after the earlier ones have used the time, including failed ones', async () => {
    const { calls, made } = scriptedCalls({ exist: [0], remove: [0] });
    const slow = {
      ...calls,
      async query(): Promise<never> {
        const since = performance.now();
        while (performance.now() - since < 5);
        throw new TypeError('a defect');
      },
    };
    const bounded = withinBudget(slow, 5);
    await bounded.exist('a');
    await assert.rejects(bounded.query('a'), TypeError);
    await assert.rejects(bounded.remove('a'), EngineDeadlineError);
    assert.deepEqual(made, ['exist a']);
    await withinBudget(slow, 5).remove('a');
  });
});
