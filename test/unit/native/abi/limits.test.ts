import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  callSlotsFor,
  MAX_CALL_SLOTS,
  maxCalls,
  spareCalls,
  threadsFor,
} from '../../../../src/native/abi/limits.ts';

describe('calls besides the call slots', () => {
  it('are never so many that the engine fails', () => {
    for (let slots = 1; slots <= MAX_CALL_SLOTS; slots += 1) {
      const { probes, substitutes } = spareCalls(slots);
      assert.ok(probes >= 1 && probes <= 7 && substitutes >= 0 && substitutes <= slots);
      assert.ok(maxCalls(slots) <= 31, `${slots}: ${maxCalls(slots)}`);
    }
  });

  it('are one probe if all slots are used, otherwise probes and replacement calls', () => {
    assert.deepEqual(spareCalls(30), { probes: 1, substitutes: 0 });
    assert.deepEqual(spareCalls(29), { probes: 1, substitutes: 1 });
    assert.deepEqual(spareCalls(16), { probes: 7, substitutes: 8 });
    assert.deepEqual(spareCalls(1), { probes: 7, substitutes: 1 });
  });
});

describe('the default number of call slots', () => {
  it('is the largest for which there are enough threads, from 2 to 16', () => {
    for (let threads = 1; threads <= 64; threads += 1) {
      const slots = callSlotsFor(threads);
      assert.ok(slots >= 2 && slots <= 16);
      if (threads >= threadsFor(2)) assert.ok(threadsFor(slots) <= threads, `${threads} threads`);
      if (slots < 16) assert.ok(threadsFor(slots + 1) > threads, `${threads} threads`);
    }
  });
});
