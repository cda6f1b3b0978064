import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { silentLog } from '../../../src/log/waiting-log.ts';
import { Shutdown } from '../../../src/supervisor/shutdown.ts';
import { until } from '../../helpers/process/until.ts';

/** The steps of a shutdown, in order. */
function ending({
  drainMs = 60_000,
  drainDelayMs = 0,
  slowListeners = false,
  slowClosing = false,
} = {}) {
  const did: string[] = [];
  const world = { waitingConnections: 0, offering: false, closed: () => {}, mayClose: () => {} };
  const shutdown = new Shutdown({
    config: { drainMs, drainDelayMs },
    log: silentLog,
    workers: [
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
      close: () => void did.push('close'),
      async finish() {
        did.push('finish');
        if (slowListeners) await new Promise<void>((resolve) => (world.closed = resolve));
      },
    }),
    async onClosing() {
      did.push('closing');
      if (slowClosing) await new Promise<void>((resolve) => (world.mayClose = resolve));
    },
    onOverdue: (reason) => void did.push(reason),
  });
  return { shutdown, did, world };
}

const inOrder = ['unready', 'closing', 'hold', 'finish', 'release', 'stop'];

describe('the shutdown of a pool', () => {
  it('fails readiness, then accepts the pending connections, and then drains its workers', async () => {
    const { shutdown, did } = ending();
    void shutdown.begin('test', false);
    await until(() => did.includes('stop'));
    assert.deepEqual(did, inOrder);
    shutdown.done();
  });

  it('closes the listeners only when they may be closed', async () => {
    const { shutdown, did, world } = ending({ slowClosing: true });
    void shutdown.begin('test', false);
    await nextTurn();
    assert.deepEqual(did, ['unready', 'closing', 'hold']);
    world.mayClose();
    await until(() => did.includes('stop'));
    assert.deepEqual(did, inOrder);
    shutdown.done();
  });

  it('waits for queued connections, and for one that a worker may return', async () => {
    const { shutdown, did, world } = ending();
    world.waitingConnections = 1;
    world.offering = true;
    void shutdown.begin('test', false);
    await until(() => did.includes('release'));
    world.waitingConnections = 0;
    const looked = performance.now();
    await until(() => performance.now() - looked > 30);
    assert.equal(did.includes('stop'), false);
    world.offering = false;
    await until(() => did.includes('stop'));
    shutdown.done();
  });

  it('waits for them no longer than for a drain, and then lets all leave', async () => {
    const { shutdown, did, world } = ending({ drainMs: 50 });
    world.waitingConnections = 1;
    void shutdown.begin('test', false);
    await until(() => did.includes('leave'));
    assert.deepEqual(did.slice(-2), ['stop', 'leave']);
    shutdown.done();
  });

  it('starts after a delay in which only readiness fails, and skips it when it must hurry', async () => {
    const delayed = ending({ drainDelayMs: 60_000 });
    void delayed.shutdown.begin('test', true);
    assert.deepEqual(delayed.did, ['unready']);
    delayed.shutdown.hurry();
    assert.deepEqual(delayed.did, ['unready', 'close', 'stop 0']);
    await until(() => delayed.did.includes('release'));
    assert.equal(delayed.did.filter((step) => step.startsWith('stop')).length, 1);
    delayed.shutdown.done();
    const never = ending({ drainDelayMs: 60_000 });
    void never.shutdown.begin('test', false);
    await until(() => never.did.includes('stop'));
    never.shutdown.done();
  });

  it('can hurry while a listener is still closing', () => {
    const { shutdown, did, world } = ending({ slowListeners: true });
    void shutdown.begin('test', false);
    shutdown.hurry();
    assert.deepEqual(did.slice(-2), ['close', 'stop 0']);
    world.closed();
    shutdown.done();
  });
});
