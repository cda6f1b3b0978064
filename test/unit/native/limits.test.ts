import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_CALL_SLOTS, mostCalls, spareCalls } from '../../../src/native/limits.ts';

describe('calls besides the call slots', () => {
  it('never make so many calls that the engine breaks', () => {
    for (let slots = 1; slots <= MAX_CALL_SLOTS; slots += 1) {
      const { probes, substitutes } = spareCalls(slots);
      assert.ok(probes >= 1 && probes <= 7 && substitutes >= 0 && substitutes <= slots);
      assert.ok(mostCalls(slots) <= 31, `${slots}: ${mostCalls(slots)}`);
    }
  });

  it('are one probe where all slots are wanted, and probes and substitutes where not', () => {
    assert.deepEqual(spareCalls(30), { probes: 1, substitutes: 0 });
    assert.deepEqual(spareCalls(29), { probes: 1, substitutes: 1 });
    assert.deepEqual(spareCalls(16), { probes: 7, substitutes: 8 });
    assert.deepEqual(spareCalls(1), { probes: 7, substitutes: 1 });
  });
});
