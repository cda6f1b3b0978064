import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_CALL_SLOTS } from '../../../src/native/abi/limits.ts';
import { quotasOf } from '../../../src/scheduler/quotas.ts';

const counts = Array.from({ length: MAX_CALL_SLOTS }, (_, at) => at + 1);
/** Calls that may take long, all together: large gets, large puts and batches. */
const slowest = (slots: number): number => {
  const { large, asking } = quotasOf(slots);
  return 3 * large + asking;
};

describe('the quotas of the call slots', () => {
  it('are at least one, and at most all slots', () => {
    for (const slots of counts) {
      for (const share of Object.values<number>({ ...quotasOf(slots) })) {
        assert.ok(share >= 1 && share <= slots, `${share} of ${slots}`);
      }
    }
  });

  it('let one kind of small operation use all slots but one for each other queue', () => {
    assert.deepEqual(
      [4, 9, 12, 16, 30].map((slots) => quotasOf(slots).smallMost),
      [1, 1, 4, 8, 22],
    );
  });

  it('leave a slot for each kind of small operation, from nine slots on', () => {
    for (const slots of counts.filter((count) => count >= 9)) {
      assert.ok(slowest(slots) <= slots - 5, `${slowest(slots)} of ${slots}`);
    }
  });

  it('leave some slot for small operations, from five slots on', () => {
    for (const slots of counts.filter((count) => count >= 5)) {
      assert.ok(slowest(slots) < slots, `${slowest(slots)} of ${slots}`);
    }
  });
});
