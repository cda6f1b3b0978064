import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { CallQueue } from '../../../src/scheduler/call-queue.ts';
import {
  type CircuitBreaker,
  createCircuitBreaker,
} from '../../../src/scheduler/circuit-breaker.ts';
import { until } from '../../helpers/process/until.ts';

/** A queue with `late` calls, which may make `maxInFlight`. */
function queueWith(late: number, maxInFlight = 2) {
  return {
    late,
    get isStuck() {
      return this.late >= maxInFlight;
    },
  };
}
type TestQueue = ReturnType<typeof queueWith>;

/** A scheduler that allows `spare` more calls, and whose probes hang until the test ends them. */
function schedulerWith(spare: number, late = 2) {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  return {
    deadlineMs: 1000,
    late,
    spare,
    probes: 0,
    get isStuck() {
      return this.late >= 16;
    },
    substitute(queue?: CallQueue) {
      if (this.spare === 0) return false;
      this.spare -= 1;
      this.late -= 1;
      if (queue !== undefined) queue.late -= 1;
      return true;
    },
    calls() {
      return { slots: 16, inFlight: 5, late: this.late, queued: 0 };
    },
    probe(): Promise<void> {
      this.probes += 1;
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

const circuits: CircuitBreaker[] = [];
after(() => {
  for (const circuit of circuits) circuit.end();
});

function circuitOf(
  scheduler: ReturnType<typeof schedulerWith>,
  { single = [], batches = [] }: { single?: TestQueue[]; batches?: TestQueue[] },
) {
  const substituted: number[] = [];
  const queues = (of: TestQueue[]) => ({ queues: of as unknown as CallQueue[] });
  const circuit = createCircuitBreaker({
    scheduler: Object.assign(scheduler, { single: queues(single), batches: queues(batches) }),
    onSubstituted: (calls) => substituted.push(calls),
    pollMs: 1,
  });
  circuits.push(circuit);
  return { circuit, substituted };
}

describe('the circuit breaker', () => {
  it('is closed while a call of each kind is possible, however many are late', async () => {
    const engine = schedulerWith(8, 15);
    const { circuit } = circuitOf(engine, { single: [queueWith(1)], batches: [queueWith(1)] });
    assert.equal(circuit.openReason, undefined);
    const stuck = circuitOf(schedulerWith(8), { single: [queueWith(2)] });
    await until(() => stuck.circuit.openReason !== undefined);
    assert.equal(engine.probes, 0, 'an engine whose calls return is not probed');
  });

  it('is open, with a reason, when late calls hold every slot or all that a kind may have', () => {
    const start = 'Engine calls are past their deadline of 1000 ms: ';
    for (const [late, single, reason] of [
      [16, [], '16 of 5 in flight, and they hold every call slot'],
      [2, [queueWith(2)], '2 of 5 in flight, and they are all that one kind of operation may make'],
    ] as const) {
      const { circuit } = circuitOf(schedulerWith(0, late), { single: [...single] });
      const reported = circuit.openReason;
      assert.ok(reported?.startsWith(`${start}${reason}. Requests `), reported);
    }
  });

  it('is closed by a successful probe while all calls still hang, and not before', async () => {
    const engine = schedulerWith(8);
    const get = queueWith(2);
    const put = queueWith(2);
    const { circuit, substituted } = circuitOf(engine, { single: [get, put, queueWith(1)] });
    await until(() => engine.probes > 2);
    assert.notEqual(circuit.openReason, undefined);
    engine.answer(new Error('it does not work yet'));
    await until(() => engine.probes > 5);
    assert.notEqual(circuit.openReason, undefined);
    engine.answer();
    await until(() => circuit.openReason === undefined);
    assert.deepEqual([substituted, get.late, put.late, engine.spare], [[2], 1, 1, 6]);
  });

  it('stays open when the engine allows no more calls', async () => {
    const engine = schedulerWith(1);
    const first = queueWith(2);
    const second = queueWith(2);
    const { circuit, substituted } = circuitOf(engine, { single: [first, second] });
    await until(() => engine.probes > 0);
    engine.answer();
    await until(() => substituted.length > 0);
    assert.deepEqual([first.late, second.late], [1, 2]);
    assert.notEqual(circuit.openReason, undefined);
    engine.answer();
    const { probes } = engine;
    await until(() => engine.probes > probes + 2);
    assert.deepEqual(substituted, [1]);
  });

  it('replaces a part of the calls when all slots are held', async () => {
    const engine = schedulerWith(8, 16);
    const { circuit, substituted } = circuitOf(engine, {});
    await until(() => engine.probes > 0);
    engine.answer();
    await until(() => circuit.openReason === undefined);
    assert.deepEqual([substituted, engine.late], [[4], 12]);
  });

  it('also closes for batches, which alone do not make the worker unready', async () => {
    const engine = schedulerWith(8);
    const moving = queueWith(2);
    const { circuit, substituted } = circuitOf(engine, { batches: [moving] });
    await until(() => engine.probes > 0);
    assert.equal(circuit.openReason, undefined);
    engine.answer();
    await until(() => substituted.length > 0);
    assert.equal(moving.isStuck, false);
  });

  it('sends no more probes after its end', async () => {
    const engine = schedulerWith(8);
    const other = schedulerWith(8);
    const { circuit } = circuitOf(engine, { single: [queueWith(2)] });
    await until(() => engine.probes > 0);
    circuit.end();
    const { probes } = engine;
    circuitOf(other, { single: [queueWith(2)] });
    await until(() => other.probes > 5);
    assert.equal(engine.probes, probes);
  });
});
