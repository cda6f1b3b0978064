import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import { Dispatch } from '../../../../src/supervisor/dispatch/dispatch.ts';
import { until } from '../../../helpers/process/until.ts';

function createWorker() {
  const taken: net.Socket[] = [];
  const worker = { serving: true, degraded: false, isFree: true, taken, handoff };
  function handoff(socket: net.Socket): boolean {
    if (worker.serving && worker.isFree) taken.push(socket);
    return worker.serving && worker.isFree;
  }
  return worker;
}

function setup() {
  const workers = [createWorker(), createWorker()] as const;
  const fellBack: net.Socket[] = [];
  const fallback = { accept: (socket: net.Socket) => void fellBack.push(socket) };
  const dispatch = new Dispatch({
    workers,
    fallback: () => Promise.resolve(fallback),
    maxWaitMs: 60_000,
  });
  return { dispatch, workers, fellBack, accept: () => dispatch.accept(new net.Socket()) };
}

const counts = (workers: readonly { readonly taken: readonly net.Socket[] }[]) =>
  workers.map(({ taken }) => taken.length);

describe('a connection', () => {
  it('goes to a degraded worker only while no healthy one serves', () => {
    const { workers, accept } = setup();
    const [first, second] = workers;
    first.degraded = true;
    for (let i = 0; i < 3; i += 1) accept();
    assert.deepEqual(counts(workers), [0, 3]);
    second.serving = false;
    accept();
    assert.deepEqual(counts(workers), [1, 3]);
  });

  it('waits while all workers are busy, and goes to the fallback server when none serves', async () => {
    const { dispatch, workers, fellBack, accept } = setup();
    for (const worker of workers) worker.isFree = false;
    accept();
    assert.equal(dispatch.waitingConnections, 1);
    for (const worker of workers) worker.serving = false;
    dispatch.serveQueue();
    accept();
    await until(() => fellBack.length === 2);
    assert.deepEqual([dispatch.waitingConnections, dispatch.fallbackConnections], [0, 2]);
  });

  it('waits while connections are held, though workers are free', () => {
    const { dispatch, workers, accept } = setup();
    dispatch.hold();
    accept();
    assert.deepEqual([dispatch.waitingConnections, ...counts(workers)], [1, 0, 0]);
    dispatch.release();
    assert.deepEqual([dispatch.waitingConnections, ...counts(workers)], [0, 1, 0]);
  });
});
