import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { move, type WorkerEvent, type WorkerState } from '../../../src/pool/state.ts';

const walk = (from: WorkerState, ...events: WorkerEvent[]) => events.reduce(move, from);

describe('the states of a worker', () => {
  it('lead from a start over a death to the next start', () => {
    assert.equal(walk('backing-off', 'due'), 'starting');
    assert.equal(walk('backing-off', 'due', 'ready'), 'ready');
    assert.equal(walk('backing-off', 'due', 'ready', 'exited'), 'backing-off');
    assert.equal(walk('backing-off', 'due', 'exited', 'due'), 'starting');
  });

  it('lead from a stop to the end, whenever it comes', () => {
    assert.equal(walk('backing-off', 'stop'), 'stopped');
    assert.equal(walk('starting', 'stop', 'exited', 'stop'), 'stopped');
    assert.equal(walk('ready', 'stop', 'exited', 'stop'), 'stopped');
  });

  it('do not let a late "ready" revive a worker that drains or has ended', () => {
    assert.equal(walk('starting', 'stop', 'ready'), 'draining');
    assert.equal(walk('stopped', 'ready', 'due'), 'stopped');
    assert.equal(walk('backing-off', 'ready'), 'backing-off');
  });

  it('replace a worker that drained of its own accord', () => {
    assert.equal(walk('ready', 'draining', 'exited', 'due'), 'starting');
  });
});
