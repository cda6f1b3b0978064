import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createEnding } from '../../../src/pool/ending.ts';
import { silentLog } from '../../../src/pool/log.ts';
import { until } from '../../helpers/until.ts';

/** What an ending does, in order. */
function ending({ drainMs = 60_000, drainDelayMs = 0, slowListeners = false } = {}) {
  const did: string[] = [];
  const world = { waitingConnections: 0, offering: false, closed: () => {} };
  const created = createEnding({
    config: { drainMs, drainDelayMs },
    log: silentLog,
    places: [
      {
        get offering() {
          return world.offering;
        },
        announceStop: () => void did.push('unready'),
        stop: (ms) => void did.push(ms <= drainMs && ms > drainMs - 5000 ? 'stop' : `stop ${ms}`),
        leave: () => void did.push('leave'),
      },
    ],
    dispatch: {
      hold: () => void did.push('hold'),
      release: () => void did.push('release'),
      get waitingConnections() {
        return world.waitingConnections;
      },
    },
    listeners: () => ({
      addresses: [],
      tcp: undefined,
      close: () => void did.push('close'),
      async finish() {
        did.push('finish');
        if (slowListeners) await new Promise<void>((resolve) => (world.closed = resolve));
      },
    }),
    onClosing: () => void did.push('closing'),
    onOverdue: (reason) => void did.push(reason),
  });
  return { ...created, did, world };
}

const inOrder = ['unready', 'closing', 'hold', 'finish', 'release', 'stop'];

describe('the end of a pool', () => {
  it('is unready first, then takes whom it has accepted, and then stops its workers', async () => {
    const { begin, did, done } = ending();
    begin('test', false);
    await until(() => did.includes('stop'));
    assert.deepEqual(did, inOrder);
    done();
  });

  it('waits for who waits, and for a connection that may come back from a worker', async () => {
    const { begin, did, done, world } = ending();
    world.waitingConnections = 1;
    world.offering = true;
    begin('test', false);
    await until(() => did.includes('release'));
    world.waitingConnections = 0;
    const looked = performance.now();
    await until(() => performance.now() - looked > 30);
    assert.equal(did.includes('stop'), false);
    world.offering = false;
    await until(() => did.includes('stop'));
    done();
  });

  it('waits for them no longer than for a drain, and lets all leave when that is over', async () => {
    const { begin, did, done, world } = ending({ drainMs: 50 });
    world.waitingConnections = 1;
    begin('test', false);
    await until(() => did.includes('leave'));
    assert.deepEqual(did.slice(-2), ['stop', 'leave']);
    done();
  });

  it('comes after a delay, in which it only is unready, and skips it when it has to hurry', async () => {
    const delayed = ending({ drainDelayMs: 60_000 });
    delayed.begin('test', true);
    assert.deepEqual(delayed.did, ['unready']);
    delayed.hurry();
    assert.deepEqual(delayed.did, ['unready', 'close', 'stop 0']);
    await until(() => delayed.did.includes('release'));
    assert.equal(delayed.did.filter((step) => step.startsWith('stop')).length, 1);
    delayed.done();
    const never = ending({ drainDelayMs: 60_000 });
    never.begin('test', false);
    await until(() => never.did.includes('stop'));
    never.done();
  });

  it('hurries though a listener is still closing', () => {
    const { begin, did, done, hurry, world } = ending({ slowListeners: true });
    begin('test', false);
    hurry();
    assert.deepEqual(did.slice(-2), ['close', 'stop 0']);
    world.closed();
    done();
  });
});
