import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBackoff } from '../../../../src/supervisor/processes/backoff.ts';

const times = { firstMs: 100, maxMs: 1000, maxMsInService: 300, calmMs: 60_000 };

describe('a backoff', () => {
  it('doubles up to its maximum, and stays there', () => {
    const backoff = createBackoff({ ...times, random: () => 1 });
    const waits = Array.from({ length: 7 }, () => backoff.afterDeath(0));
    assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000, 1000]);
  });

  it('waits less for a worker that was ready, because no other serves instead', () => {
    const backoff = createBackoff({ ...times, random: () => 1 });
    const waits = Array.from({ length: 4 }, () => backoff.afterDeath(1));
    assert.deepEqual(waits, [100, 200, 300, 300]);
    assert.deepEqual([backoff.afterDeath(0), backoff.afterDeath(0)], [400, 800]);
    assert.equal(backoff.afterDeath(1), 300);
  });

  it('randomises half of each wait', () => {
    const backoff = createBackoff({ ...times, random: () => 0 });
    assert.deepEqual([backoff.afterDeath(0), backoff.afterDeath(0)], [50, 100]);
    const drawn = createBackoff(times);
    for (let i = 0; i < 1000; i += 1) {
      const wait = drawn.afterDeath(times.calmMs);
      assert(wait >= 50 && wait < 100);
    }
  });

  it('starts again after a calm minute, and not earlier', () => {
    const backoff = createBackoff({ ...times, random: () => 1 });
    backoff.afterDeath(0);
    assert.equal(backoff.afterDeath(59_999), 200);
    assert.equal(backoff.afterDeath(60_000), 100);
  });

  it('never overflows, however long it lasts', () => {
    const backoff = createBackoff({ ...times, random: () => 1 });
    for (let i = 0; i < 5000; i += 1) backoff.afterDeath(0);
    assert.equal(backoff.afterDeath(0), 1000);
  });
});
