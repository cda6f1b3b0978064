import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limitOf, TOTAL_MINUTES, totalEndMs } from '../../../scripts/matrix/matrix-limits.mjs';

const MINUTE_MS = 60_000;

describe('the limits of the test matrix', () => {
  it('give all entries together 20 minutes', () => {
    assert.equal(TOTAL_MINUTES, 20);
    assert.equal(totalEndMs(1000) - 1000, 20 * MINUTE_MS);
  });

  it('distinguish an entry that reaches its own limit from one that reaches the total', () => {
    const own = limitOf(3, 3 * MINUTE_MS);
    assert.equal(own.deadlineMs, 3 * MINUTE_MS);
    assert.equal(own.fault, 'it did not end within its own limit of 3 minutes');
    const total = limitOf(3, 3 * MINUTE_MS - 1000);
    assert.equal(total.deadlineMs, 179_000);
    assert.match(total.fault, /^it had the last 179 s of the 20 minutes for all entries/);
    assert.match(total.fault, /run it alone with its name$/);
  });

  it('start no entry if too little of the total is left', () => {
    assert.equal(limitOf(3, 15_000).deadlineMs, 15_000);
    for (const leftMs of [14_999, 0, -5]) {
      assert.throws(
        () => limitOf(3, leftMs),
        /^Error: not started: the 20 minutes for all entries/,
      );
    }
  });
});
