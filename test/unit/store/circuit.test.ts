import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openCircuit } from '../../../src/store/circuit.ts';

const free = { store: { stuck: false } };
const engine = {
  deadlineMs: 1000,
  stuck: false,
  calls: () => ({ slots: 16, inFlight: 5, late: 2, queued: 0 }),
};

describe('the circuit', () => {
  it('is closed while some call of each kind may be made, however many are late', () => {
    assert.equal(openCircuit(engine, free), undefined);
  });

  it('is open, and tells why, when every call slot is held or all that a kind may have', () => {
    const start = 'Engine calls are past their deadline of 1000 ms: 2 of 5 under way, and they ';
    for (const [stuck, breakers, reason] of [
      [true, free, 'hold every call slot'],
      [false, { store: { stuck: true } }, 'are all that one kind of operation may have'],
    ] as const) {
      const told = openCircuit({ ...engine, stuck }, breakers);
      assert.ok(told?.startsWith(`${start}${reason}. Requests `), told);
    }
  });
});
