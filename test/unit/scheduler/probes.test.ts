import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EngineClosedError, EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import type { Probe } from '../../../src/native/start/self-test.ts';
import { Probes } from '../../../src/scheduler/probes.ts';

/** A probe that ends when the test says so. */
function scripted() {
  let out: PromiseWithResolvers<void> | undefined;
  let hangs = false;
  const runs: boolean[] = [];
  return {
    runs,
    get free() {
      return out === undefined && !hangs;
    },
    counts: () => ({ slots: 1, inFlight: hangs || out ? 1 : 0, late: hangs ? 1 : 0, queued: 0 }),
    run({ toleratesFullPool }: { toleratesFullPool: boolean }) {
      runs.push(toleratesFullPool);
      out = promised();
      return out.promise;
    },
    close: () => Promise.resolve(!hangs),
    async answer(error?: Error) {
      const { resolve, reject } = out ?? assert.fail('it is not out');
      out = undefined;
      if (error === undefined) resolve();
      else reject(error);
      await nextTurn();
    },
    /** Past the deadline of a call; the call continues. */
    async expire() {
      hangs = true;
      await this.answer(new EngineDeadlineError('put', 1));
    },
    returned() {
      hangs = false;
    },
    /** Ends a run that the test has not ended. */
    settle() {
      out?.resolve();
    },
  };
}

interface PromiseWithResolvers<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}
function promised(): PromiseWithResolvers<void> {
  const parts = {} as PromiseWithResolvers<void>;
  parts.promise = new Promise((resolve, reject) => {
    parts.resolve = resolve;
    parts.reject = reject;
  });
  return parts;
}

function probesOf(count: number) {
  const all = Array.from({ length: count }, scripted);
  open.push(...all);
  const clock = { ms: 1000 };
  const probes = new Probes(all as unknown as Probe[], { now: () => clock.ms });
  const ask = (maxWaitMs = 60_000) => {
    const answer = probes.run(maxWaitMs, { toleratesFullPool: true });
    answer.catch(() => undefined);
    return answer;
  };
  const sent = () => all.reduce((sum, { runs }) => sum + runs.length, 0);
  return { probes, all, clock, ask, sent };
}
type Scripted = ReturnType<typeof scripted>;

/** An open run keeps the timer of each caller, and the timers keep the process alive. */
const open: Scripted[] = [];
afterEach(() => {
  for (const probe of open.splice(0)) probe.settle();
});

describe('probes', () => {
  it('are shared by all callers while one is in flight, and sent again after its result', async () => {
    const { all, ask, sent } = probesOf(3);
    const [first] = all as [Scripted];
    const asked = [ask(), ask(), ask()];
    assert.equal(sent(), 1);
    await first.answer();
    await Promise.all(asked);
    const failed = ask();
    assert.equal(sent(), 2);
    await first.answer(new Error('no'));
    await assert.rejects(failed, /^Error: no$/);
    void ask();
    assert.deepEqual(first.runs, [true, true, true]);
  });

  it('time out for each caller after its own time', async () => {
    const { all, ask } = probesOf(1);
    const patient = ask();
    await assert.rejects(ask(5), EngineDeadlineError);
    await (all[0] as Scripted).answer();
    await patient;
  });

  it('are sent while others hang, soon at first and then after as long again', async () => {
    const { clock, ask, sent, all } = probesOf(7);
    const started: number[] = [];
    for (const from = clock.ms; clock.ms <= from + 60_000; clock.ms += 100) {
      const before = sent();
      void ask();
      if (sent() > before) started.push(clock.ms - from);
    }
    assert.deepEqual(started, [0, 600, 1200, 2400, 4800, 9600, 19_200]);
    // One succeeds; the next is sent at once, and another one soon after.
    await (all[6] as Scripted).answer();
    void ask();
    assert.equal(sent(), 8);
  });

  it('are sent at once when a hanging one returns, also one that was given up', async () => {
    const { clock, ask, sent, all } = probesOf(4);
    const [first, second, third] = all as [Scripted, Scripted, Scripted];
    for (const [step, expected] of [
      [0, 1],
      [600, 2],
      [600, 3],
    ] as const) {
      clock.ms += step;
      void ask();
      assert.equal(sent(), expected);
    }
    await first.answer();
    void ask();
    void ask();
    assert.equal(sent(), 4);
    await second.expire();
    void ask();
    assert.equal(sent(), 4);
    second.returned();
    void ask();
    assert.equal(sent(), 5);
    await third.expire();
    void ask();
    assert.equal(sent(), 5);
  });

  it('return the last result to callers before the next is due, and wait for a free one', async () => {
    const { clock, ask, sent, all, probes } = probesOf(1);
    const [only] = all as [Scripted];
    const first = ask();
    await only.expire();
    await assert.rejects(first, EngineDeadlineError);
    await assert.rejects(ask(), EngineDeadlineError);
    clock.ms += 10_000;
    await assert.rejects(ask(), EngineDeadlineError);
    assert.equal(sent(), 1);
    assert.deepEqual(probes.counts(), { inFlight: 1, late: 1 });
    only.returned();
    const next = ask();
    assert.equal(sent(), 2);
    await only.answer();
    await next;
  });

  it('stop after close, which returns whether all have returned', async () => {
    const { probes, all, ask } = probesOf(2);
    void ask();
    await (all[0] as Scripted).expire();
    assert.equal(await probes.close(1), false);
    await assert.rejects(ask(), EngineClosedError);
    assert.equal(await probesOf(2).probes.close(1), true);
  });
});
