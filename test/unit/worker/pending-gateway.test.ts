import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PendingGateway } from '../../../src/worker/pending-gateway.ts';
import type { RunningGateway } from '../../../src/worker/running-gateway.ts';
import { fakeGateway } from './fake-gateway.ts';

describe('a gateway that is still opening', () => {
  it('gets the changes that came earlier once it is open, and later ones at once', async () => {
    const { gateway, did } = fakeGateway();
    const pending = new PendingGateway();
    pending.reconfigure({ layout: [], logLevel: 'warn', tokens: null, tls: null });
    pending.announceStop();
    await pending.open(Promise.resolve(gateway));
    assert.equal(pending.running, gateway);
    pending.reconfigure({ layout: [], logLevel: 'debug', tokens: null, tls: null });
    assert.deepEqual(did, ['announce stop', 'log level warn', 'log level debug']);
  });

  it('is waited for no longer than the deadline, and not at all when it was never begun', async () => {
    const pending = new PendingGateway();
    assert.equal(await pending.opened(60_000), undefined);
    void pending.open(new Promise<RunningGateway>(() => {}));
    assert.equal(await pending.opened(10), undefined);
  });

  it('is none when its opening fails', async () => {
    const pending = new PendingGateway();
    const opening = pending.open(Promise.reject(new Error('no engine')));
    assert.equal(await pending.opened(60_000), undefined);
    await assert.rejects(opening, /no engine/);
  });
});
