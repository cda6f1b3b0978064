import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PendingGateway } from '../../../src/worker/pending-gateway.ts';
import type { RunningGateway } from '../../../src/worker/running-gateway.ts';
import { SupervisorChannel } from '../../../src/worker/supervisor-channel.ts';
import { WorkerShutdown } from '../../../src/worker/worker-shutdown.ts';
import { fakeGateway } from './fake-gateway.ts';

/** Ends a worker whose gateway behaves like this; returns the exit code, and what was done to the gateway. */
async function end(behaviour?: Partial<RunningGateway>) {
  const pending = new PendingGateway();
  const { gateway, did } = fakeGateway(behaviour);
  if (behaviour !== undefined) await pending.open(Promise.resolve(gateway));
  const code = await new Promise<number>((resolve) => {
    const shutdown = new WorkerShutdown(pending, new SupervisorChannel(), resolve);
    void shutdown.begin(10);
    assert.equal(shutdown.hasBegun, true);
  });
  return { code, did };
}

const twoCalls = () => ({ requests: 0, calls: 2 });

describe('the end of a worker', () => {
  it('is clean when all requests finish and the engine is uninitialised', async () => {
    assert.deepEqual(await end({}), { code: 0, did: [] });
  });

  it('is clean without a gateway, which has served no request', async () => {
    assert.deepEqual(await end(), { code: 0, did: [] });
  });

  it('cuts off requests that do not finish in time, and fails', async () => {
    const ended = await end({ drain: () => Promise.resolve(false) });
    assert.deepEqual(ended, { code: 1, did: ['destroy all'] });
  });

  it('fails when calls of requests hang in the engine, and not when the engine alone does', async () => {
    const closeEngine = () => Promise.resolve(false);
    assert.equal((await end({ closeEngine, remaining: twoCalls })).code, 1);
    assert.equal((await end({ closeEngine })).code, 0);
  });
});
