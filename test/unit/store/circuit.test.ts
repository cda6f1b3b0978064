import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { type Breaker, type Circuit, createCircuit } from '../../../src/store/circuit.ts';
import { until } from '../../helpers/until.ts';

/** A kind of calls with so many late ones, of which it may make `mayMake`. */
function breaker(late: number, mayMake = 2) {
  return {
    late,
    get stuck() {
      return this.late >= mayMake;
    },
    substitute() {
      this.late -= 1;
    },
  };
}

/** An engine that bears `spare` more calls, and whose probes hang until they are answered. */
function engineWith(spare: number, late = 2) {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  return {
    deadlineMs: 1000,
    slots: 16,
    late,
    spare,
    asked: 0,
    get stuck() {
      return this.late >= this.slots;
    },
    substitute() {
      if (this.spare === 0) return false;
      this.spare -= 1;
      this.slots += 1;
      return true;
    },
    calls() {
      return { slots: 16, inFlight: 5, late: this.late, queued: 0 };
    },
    probe(): Promise<void> {
      this.asked += 1;
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    answer(error?: Error) {
      for (const { resolve, reject } of waiting.splice(0)) {
        if (error === undefined) resolve();
        else reject(error);
      }
    },
  };
}

const circuits: Circuit[] = [];
after(() => {
  for (const circuit of circuits) circuit.end();
});

function circuitOf(
  engine: ReturnType<typeof engineWith>,
  { store = [], batches = [] }: { store?: Breaker[]; batches?: Breaker[] },
) {
  const substituted: number[] = [];
  const circuit = createCircuit({
    engine,
    store: { breakers: store },
    batches: { breakers: batches },
    onSubstituted: (calls) => substituted.push(calls),
    lookMs: 1,
  });
  circuits.push(circuit);
  return { circuit, substituted };
}

describe('the circuit', () => {
  it('is closed while some call of each kind may be made, however many are late', async () => {
    const engine = engineWith(8, 15);
    const { circuit } = circuitOf(engine, { store: [breaker(1)], batches: [breaker(1)] });
    assert.equal(circuit.openReason, undefined);
    const stuck = circuitOf(engineWith(8), { store: [breaker(2)] });
    await until(() => stuck.circuit.openReason !== undefined);
    assert.equal(engine.asked, 0, 'nobody probes an engine that answers');
  });

  it('is open, and tells why, when every call slot is held or all that a kind may have', () => {
    const start = 'Engine calls are past their deadline of 1000 ms: ';
    for (const [late, store, reason] of [
      [16, [], '16 of 5 under way, and they hold every call slot'],
      [2, [breaker(2)], '2 of 5 under way, and they are all that one kind of operation may have'],
    ] as const) {
      const { circuit } = circuitOf(engineWith(0, late), { store: [...store] });
      const told = circuit.openReason;
      assert.ok(told?.startsWith(`${start}${reason}. Requests `), told);
    }
  });

  it('is closed by a probe that is answered while all calls still hang, and not before', async () => {
    const engine = engineWith(8);
    const get = breaker(2);
    const put = breaker(2);
    const { circuit, substituted } = circuitOf(engine, { store: [get, put, breaker(1)] });
    await until(() => engine.asked > 2);
    assert.notEqual(circuit.openReason, undefined);
    engine.answer(new Error('it does not work yet'));
    await until(() => engine.asked > 5);
    assert.notEqual(circuit.openReason, undefined);
    engine.answer();
    await until(() => circuit.openReason === undefined);
    assert.deepEqual([substituted, get.late, put.late, engine.spare], [[2], 1, 1, 6]);
  });

  it('stays open once the engine bears no more calls', async () => {
    const engine = engineWith(1);
    const first = breaker(2);
    const second = breaker(2);
    const { circuit, substituted } = circuitOf(engine, { store: [first, second] });
    await until(() => engine.asked > 0);
    engine.answer();
    await until(() => substituted.length > 0);
    assert.deepEqual([first.late, second.late], [1, 2]);
    assert.notEqual(circuit.openReason, undefined);
    engine.answer();
    const { asked } = engine;
    await until(() => engine.asked > asked + 2);
    assert.deepEqual(substituted, [1]);
  });

  it('substitutes a part of the slots when all are held', async () => {
    const engine = engineWith(8, 16);
    const { circuit, substituted } = circuitOf(engine, {});
    await until(() => engine.asked > 0);
    engine.answer();
    await until(() => circuit.openReason === undefined);
    assert.deepEqual([substituted, engine.slots], [[4], 20]);
  });

  it('is closed for batches too, for which alone nobody is told to stay away', async () => {
    const engine = engineWith(8);
    const moving = breaker(2);
    const { circuit, substituted } = circuitOf(engine, { batches: [moving] });
    await until(() => engine.asked > 0);
    assert.equal(circuit.openReason, undefined);
    engine.answer();
    await until(() => substituted.length > 0);
    assert.equal(moving.stuck, false);
  });

  it('sends no more probes once it has ended', async () => {
    const engine = engineWith(8);
    const other = engineWith(8);
    const { circuit } = circuitOf(engine, { store: [breaker(2)] });
    await until(() => engine.asked > 0);
    circuit.end();
    const { asked } = engine;
    circuitOf(other, { store: [breaker(2)] });
    await until(() => other.asked > 5);
    assert.equal(engine.asked, asked);
  });
});
