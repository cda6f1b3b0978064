import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareRates, MIN_PAIRS, median, medianInterval } from '../../bench/statistics.mjs';

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

describe('a median', () => {
  it('is the middle number, or the mean of the two in the middle', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([10, 1, 2, 3]), 2.5);
  });

  it('has an interval between the k-th smallest and the k-th largest number', () => {
    // The ranks of a 95 % interval of the median, from tables of the binomial distribution.
    const ranks = { 6: [1, 6], 8: [1, 8], 9: [2, 8], 12: [3, 10], 15: [4, 12], 20: [6, 15] };
    for (const [count, [low, high]] of Object.entries(ranks)) {
      const shuffled = upTo(Number(count)).reverse();
      assert.deepEqual(medianInterval(shuffled), { low, high }, count);
    }
  });

  it('has no interval with fewer than six numbers', () => {
    assert.equal(MIN_PAIRS, 6);
    for (const count of upTo(5)) assert.equal(medianInterval(upTo(count)), undefined);
  });
});

describe('a comparison of rates', () => {
  const commit = upTo(9).map(() => 100);
  const around = (middle: number, spread: number) =>
    upTo(9).map((each) => middle + (each - 5) * spread);

  it('divides within each pair, so that a slow minute of the machine cancels out', () => {
    const slowMinute = upTo(9).map((each) => (each < 5 ? 10 : 100));
    const tree = slowMinute.map((rate) => rate * 1.1);
    const { ratio, interval } = compareRates(tree, slowMinute, 1);
    assert.ok(Math.abs(ratio - 1.1) < 1e-9);
    assert.ok(interval !== undefined && interval.low > 1.09 && interval.high < 1.11);
  });

  it('passes if the median reaches the lowest ratio', () => {
    const { passed, tree } = compareRates(around(98, 0.1), commit, 0.97);
    assert.deepEqual([passed, tree], [true, 98]);
    assert.equal(compareRates(around(98, 0.1), commit, 1).passed, false);
  });

  it('passes if the interval includes 1', () => {
    assert.equal(compareRates(around(95, 2), commit, 0.97).passed, true);
    assert.equal(compareRates(around(95, 1), commit, 0.97).passed, false);
  });

  it('has no verdict without an interval', () => {
    assert.equal(compareRates([100], [100], 1).passed, undefined);
  });
});
