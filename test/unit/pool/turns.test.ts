import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { createTurns, momentMs } from '../../../src/pool/turns.ts';

/** Places that are free until they are told to be busy; each counts what it took. */
function setup(count: number) {
  const places = Array.from({ length: count }, () => {
    const place = { serving: true, free: true, taken: 0, handOver };
    function handOver(): boolean {
      if (place.serving && place.free) place.taken += 1;
      return place.serving && place.free;
    }
    return place;
  });
  const turns = createTurns(places);
  const give = (times: number) => Array.from({ length: times }, () => turns.give('it'));
  return { places, give, taken: () => places.map(({ taken }) => taken) };
}

describe('turns', () => {
  it('go round', () => {
    const { give, taken } = setup(3);
    assert.deepEqual(give(7), Array<string>(7).fill('given'));
    assert.deepEqual(taken(), [3, 2, 2]);
  });

  it('let the others be no more than a few ahead of one that is busy', () => {
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

  it('pass over one that stays behind for longer than a moment, and owe it little', (t) => {
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
    // One now and then does not make the others wait for it again.
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
    // It has caught up, and is waited for again.
    slow.free = false;
    assert.equal(give(6).at(-1), 'wait');
  });

  it('pass over one that does not serve at once, and owe it nothing', () => {
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

  it('say that all are busy when nobody would take it', () => {
    const { places, give } = setup(2);
    for (const place of places) place.free = false;
    assert.deepEqual(give(1), ['busy']);
  });
});
