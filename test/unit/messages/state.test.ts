import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  move,
  takesConnections,
  type WorkerEvent,
  type WorkerState,
} from '../../../src/messages/state.ts';

const events = ['due', 'ready', 'stuck', 'recovered', 'draining', 'exited', 'stop'] as const;

/** The effect of each event on each state, in the order of `events`; `-` means no change. */
const table: Readonly<Record<WorkerState, string>> = {
  starting: '- ready - - draining dead draining',
  ready: '- - degraded - draining dead draining',
  degraded: '- - - ready draining dead draining',
  draining: '- - - - - dead -',
  dead: 'starting - - - - - stopped',
  stopped: '- - - - - - -',
};
const states = Object.keys(table) as WorkerState[];

const walk = (from: WorkerState, ...through: WorkerEvent[]) => through.reduce(move, from);

describe('the states of a worker', () => {
  for (const state of states) {
    const row = table[state].split(' ');
    events.forEach((event, at) => {
      const expected = row[at] === '-' ? state : row[at];
      it(`${state}, ${event}: ${expected}`, () => {
        assert.equal(move(state, event), expected);
      });
    });
  }

  it('lead from a start over a death to the next start', () => {
    assert.equal(walk('dead', 'due', 'ready', 'exited', 'due'), 'starting');
    assert.equal(walk('dead', 'due', 'ready', 'stuck', 'exited', 'due'), 'starting');
  });

  it('lead to the end after a stop in any state', () => {
    for (const state of states) assert.equal(walk(state, 'stop', 'exited', 'stop'), 'stopped');
  });

  it('replace a worker that drained by itself', () => {
    assert.equal(walk('ready', 'draining', 'exited', 'due'), 'starting');
  });

  it('accept connections when ready, and when only the engine hangs', () => {
    assert.deepEqual(states.filter(takesConnections), ['ready', 'degraded']);
  });
});
