import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { createRoundRobin, momentMs } from '../../../../src/supervisor/dispatch/round-robin.ts';

/** Workers that are free until the test makes them busy; each counts its connections. */
function setup(count: number) {
  const places = Array.from({ length: count }, () => {
    const place = { serving: true, free: true, taken: 0, handoff };
    function handoff(): boolean {
      if (place.serving && place.free) place.taken += 1;
      return place.serving && place.free;
    }
    return place;
  });
  const roundRobin = createRoundRobin(places);
  const give = (times: number) => Array.from({ length: times }, () => roundRobin.give('it'));
  return { places, give, taken: () => places.map(({ taken }) => taken) };
}

describe('round robin', () => {
  it('alternates between the workers', () => {
    const { give, taken } = setup(3);
    assert.deepEqual(give(7), Array<string>(7).fill('given'));
    assert.deepEqual(taken(), [3, 2, 2]);
  });

  it('lets the others get only a few more than a busy worker', () => {
    const { places, give, taken } = setup(2);
    give(2);
    const [slow] = places;
    assert.ok(slow);
    slow.free = false;
    assert.deepEqual(give(4), ['given', 'given', 'wait', 'wait']);
    assert.deepEqual(taken(), [1, 3]);
    slow.free = true;
    give(6);
    assert.deepEqual(taken(), [5, 5]);
  });

  it('skips a worker that stays behind for longer, and lets it make up for little', (t) => {
    let now = 0;
    mock.method(performance, 'now', () => now);
    t.after(() => mock.restoreAll());
    const { places, give, taken } = setup(2);
    give(2);
    const [slow] = places;
    assert.ok(slow);
    slow.free = false;
    assert.equal(give(5).at(-1), 'wait');
    now += momentMs;
    assert.deepEqual(give(40), Array<string>(40).fill('given'));
    assert.deepEqual(taken(), [1, 43]);
    // A single connection does not make the others wait for it again.
    slow.free = true;
    give(1);
    slow.free = false;
    assert.deepEqual(give(10), Array<string>(10).fill('given'));
    assert.deepEqual(taken(), [2, 53]);
    slow.free = true;
    give(16);
    assert.deepEqual(taken(), [18, 53]);
    give(10);
    assert.deepEqual(taken(), [23, 58]);
    // It has caught up, and the others wait for it again.
    slow.free = false;
    assert.equal(give(6).at(-1), 'wait');
  });

  it('skips a worker that is not serving, and lets it make up for nothing', () => {
    const { places, give, taken } = setup(2);
    give(2);
    const [dead] = places;
    assert.ok(dead);
    dead.serving = false;
    give(20);
    dead.serving = true;
    give(10);
    assert.deepEqual(taken(), [6, 26]);
  });

  it('reports that all workers are busy', () => {
    const { places, give } = setup(2);
    for (const place of places) place.free = false;
    assert.deepEqual(give(1), ['busy']);
  });
});
