import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MMC_UNMATCHED_KEY } from '../../../src/errors/engine-codes.ts';
import { Scheduler } from '../../../src/scheduler/scheduler.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { openTestEngine, type TestClient } from '../../helpers/engine/native.ts';
import { until } from '../../helpers/process/until.ts';

const CALLERS = 32;

describe('the limit of calls in flight on an engine that works on eight calls at once', () => {
  const injection = createInjection();
  let client: TestClient;
  before(async () => {
    Object.assign(process.env, injection.env);
    client = await openTestEngine({ engine: await injectingLibrary(), callSlots: 16 });
    // Longer than a busy machine needs to start a thread, so that these delays decide.
    const slow = { delayInsideUs: 4000, perKeyUs: 800, lanes: 8 };
    await injection.set([{ on: ['exist', 'batch_exist'], ...slow }]);
  });
  after(async () => {
    await injection.clear();
    assert.equal(await client.close(20_000), true);
    injection.dispose();
  });

  it('rises for the operation that has the load, and for no other', async () => {
    const scheduler = new Scheduler(client.engine, { deadlineMs: 10_000, coalescing: true });
    const { exist: first } = scheduler.single.limits();
    assert.equal(first, 2);
    let isDone = false;
    const caller = async (at: number): Promise<void> => {
      while (!isDone) {
        assert.equal(await scheduler.single.exist('missing'), MMC_UNMATCHED_KEY);
        for (let turns = at % 4; turns > 0; turns--) await nextTurn();
      }
    };
    const callers = Promise.all(Array.from({ length: CALLERS }, (_, at) => caller(at)));
    try {
      await until(() => (scheduler.single.limits()['exist'] ?? 0) > 2);
    } finally {
      isDone = true;
      await callers;
    }
    const { query, remove, get, put } = scheduler.single.limits();
    assert.deepEqual([query, remove, get, put], [2, 2, 2, 2]);
    assert.ok(injection.counters('batch_exist').maxInFlight > 2);
  });
});
