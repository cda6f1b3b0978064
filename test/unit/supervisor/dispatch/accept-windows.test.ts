import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { AcceptWindows } from '../../../../src/supervisor/dispatch/accept-windows.ts';

/** A worker that records how many connections it may accept. */
class FakeWorker {
  serving = true;
  degraded = false;
  accepts = true;
  epoch = 0;
  permitted = 0;

  permit(epoch: number, connections: number): void {
    this.epoch = epoch;
    this.permitted = connections;
  }
}

function createWorld(count: number) {
  const workers = Array.from({ length: count }, () => new FakeWorker());
  const world = { accepting: true, waiting: false, checks: 0 };
  const windows = new AcceptWindows({
    workers,
    setAccepting: (isWanted) => {
      world.accepting = isWanted;
    },
    hasWaiting: () => {
      world.checks += 1;
      return world.waiting;
    },
  });
  const accept = (worker: FakeWorker, connections: number, isFull = false) =>
    windows.accepted(worker, { epoch: worker.epoch, connections, isFull });
  windows.open();
  return { workers, world, windows, accept };
}

const [first, second, third] = [0, 1, 2];
const at = (workers: readonly FakeWorker[], index: number): FakeWorker =>
  workers[index] ?? assert.fail();

describe('the windows of workers that accept', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  it('let the only ready worker accept without a limit, and the supervisor none', () => {
    const { workers, world } = createWorld(1);
    assert.equal(at(workers, first).permitted, Number.MAX_SAFE_INTEGER);
    assert.equal(world.accepting, false);
  });

  it('let the supervisor accept while no worker serves, or one of them cannot accept by itself', () => {
    const { workers, world, windows } = createWorld(2);
    at(workers, second).accepts = false;
    windows.update();
    assert.equal(world.accepting, true);
    assert.equal(at(workers, first).permitted, 0);
    for (const worker of workers) worker.serving = false;
    at(workers, second).accepts = true;
    windows.update();
    assert.equal(world.accepting, true);
    at(workers, second).serving = true;
    windows.update();
    assert.equal(world.accepting, false);
    assert.deepEqual([at(workers, first).permitted, at(workers, second).permitted > 1], [0, true]);
  });

  it('let no worker accept more than one connection more than another while few arrive', () => {
    const { workers, accept } = createWorld(3);
    assert.deepEqual(
      workers.map(({ permitted }) => permitted),
      [1, 1, 1],
    );
    accept(at(workers, second), 1);
    accept(at(workers, third), 1);
    assert.equal(at(workers, second).permitted, 1);
    accept(at(workers, first), 1);
    assert.deepEqual(
      workers.map(({ permitted }) => permitted),
      [2, 2, 2],
    );
  });

  it('are at most a tenth of the connections of a worker in the last second', () => {
    const { workers, accept } = createWorld(2);
    for (let round = 1; round <= 400; round += 1) {
      for (const worker of workers) accept(worker, round);
    }
    const { permitted } = at(workers, first);
    assert.ok(permitted > 410 && permitted <= 440, `${permitted}`);
  });

  it('do not count a worker that accepts none while connections wait, until it responds again', () => {
    const { workers, world, accept } = createWorld(2);
    const [quick, stopped] = [at(workers, first), at(workers, second)];
    accept(quick, 1);
    mock.timers.tick(50);
    assert.equal(quick.permitted, 1);
    world.waiting = true;
    mock.timers.tick(100);
    for (let check = 2; check < 10; check += 1) mock.timers.tick(50);
    assert.equal(quick.permitted, 1);
    mock.timers.tick(50);
    assert.equal(quick.permitted, 2);
    for (let accepted = 2; accepted < 10; accepted += 1) accept(quick, accepted);
    assert.equal(quick.permitted, 10);
    // It responds, and does not make up for the connections that it has missed.
    accept(stopped, 0);
    assert.equal(stopped.permitted, 1);
    accept(quick, 10);
    assert.equal(quick.permitted, 10);
    accept(stopped, 1);
    assert.deepEqual([quick.permitted, stopped.permitted], [11, 2]);
  });

  it('are checked seldom while no connection waits', () => {
    const { workers, world, accept } = createWorld(2);
    accept(at(workers, first), 1);
    for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 50) mock.timers.tick(50);
    assert.ok(world.checks <= 160, `${world.checks} in a minute`);
    world.waiting = true;
    mock.timers.tick(400);
    const { checks } = world;
    for (let elapsedMs = 0; elapsedMs < 400; elapsedMs += 50) mock.timers.tick(50);
    assert.equal(world.checks - checks, 8);
  });

  it('do not count a worker without room for a connection, until it can accept again', () => {
    const { workers, accept } = createWorld(2);
    const [free, full] = [at(workers, first), at(workers, second)];
    const { epoch } = full;
    accept(full, 0, true);
    assert.notEqual(full.epoch, epoch);
    for (let accepted = 1; accepted < 5; accepted += 1) accept(free, accepted);
    assert.equal(free.permitted, 5);
    accept(full, 0);
    accept(free, 5);
    assert.deepEqual([free.permitted, full.permitted], [5, 1]);
  });

  it('let the only ready worker accept without a limit again once it has room', () => {
    const { workers, accept } = createWorld(1);
    const worker = at(workers, first);
    const { epoch } = worker;
    accept(worker, 8, true);
    assert.notEqual(worker.epoch, epoch);
    assert.equal(worker.permitted, Number.MAX_SAFE_INTEGER);
  });

  it('prefer workers whose engine calls return', () => {
    const { workers, windows } = createWorld(2);
    at(workers, first).degraded = true;
    windows.update();
    assert.deepEqual(
      workers.map(({ permitted }) => permitted),
      [0, Number.MAX_SAFE_INTEGER],
    );
    at(workers, second).degraded = true;
    windows.update();
    assert.deepEqual(
      workers.map(({ permitted }) => permitted),
      [1, 1],
    );
  });

  it('ignore what a worker has accepted in an earlier epoch', () => {
    const { workers, windows, accept } = createWorld(2);
    const { epoch } = at(workers, first);
    at(workers, first).serving = false;
    windows.update();
    at(workers, first).serving = true;
    windows.update();
    windows.accepted(at(workers, first), { epoch, connections: 1, isFull: false });
    accept(at(workers, second), 1);
    assert.equal(at(workers, second).permitted, 1);
  });

  it('ask a full worker once, and wait for it again when it has room', () => {
    const { workers, accept } = createWorld(2);
    accept(at(workers, first), 0, true);
    const { epoch } = at(workers, first);
    accept(at(workers, first), 0, true);
    assert.equal(at(workers, first).epoch, epoch);
    accept(at(workers, second), 1);
    accept(at(workers, second), 2);
    assert.equal(at(workers, second).permitted, 3);
    accept(at(workers, first), 0);
    accept(at(workers, second), 3);
    assert.equal(at(workers, second).permitted, 3);
  });

  it('give the connections back to the supervisor when they are closed', () => {
    const { workers, world, windows } = createWorld(2);
    windows.close();
    assert.equal(world.accepting, true);
    assert.deepEqual(
      workers.map(({ permitted }) => permitted),
      [0, 0],
    );
  });

  it('try again later when the supervisor has no descriptor to accept with', () => {
    let isFull = true;
    let accepting = false;
    const windows = new AcceptWindows({
      workers: [],
      setAccepting: (isWanted) => {
        if (isFull) throw new Error('no descriptor');
        accepting = isWanted;
      },
      hasWaiting: () => false,
    });
    windows.open();
    isFull = false;
    mock.timers.tick(50);
    assert.equal(accepting, true);
  });
});
