import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { beatMs } from '../../../../src/messages/heartbeat.ts';
import { createHeartbeatJudge } from '../../../../src/supervisor/processes/heartbeat-judge.ts';

const limits = { heartbeatMs: 10_000, initDeadlineMs: 90_000, degradedLimitMs: 600_000 };
const beat = { type: 'heartbeat', inFlight: 0, late: 0, stuck: false, inspected: false } as const;
const stuckBeat = { ...beat, inFlight: 2, late: 2, stuck: true };

function judgeOf(given: Partial<typeof limits> = {}, debug = { inspected: false, traced: false }) {
  const clock = { now: 1_000_000 };
  const judge = createHeartbeatJudge({
    limits: { ...limits, ...given },
    inspected: debug.inspected,
    isTraced: () => debug.traced,
    now: () => clock.now,
  });
  /** Advances the time in normal steps, with a heartbeat in each or without. */
  function pass(ms: number, heard?: Parameters<typeof judge.heard>[0]): void {
    for (let passed = 0; passed < ms; passed += beatMs) {
      clock.now += beatMs;
      judge.look();
      if (heard !== undefined) judge.heard(heard);
    }
  }
  return { clock, judge, pass };
}

describe('a worker that sends no heartbeat', () => {
  it('is killed after the limit, and not before', () => {
    const { judge, pass } = judgeOf();
    pass(5000, beat);
    pass(9500);
    assert.equal(judge.verdict('ready'), undefined);
    pass(500);
    for (const state of ['ready', 'degraded', 'draining'] as const) {
      assert.equal(judge.verdict(state), 'it has sent no heartbeat for 10 s');
    }
  });

  it('is healthy if it sends a heartbeat in time', () => {
    const { judge, pass } = judgeOf();
    for (let i = 0; i < 10; i += 1) {
      pass(9500);
      assert.equal(judge.verdict('ready'), undefined);
      judge.heard(beat);
    }
  });

  it('has the time of its start in addition, while it starts', () => {
    const { judge, pass } = judgeOf();
    pass(99_500);
    assert.equal(judge.verdict('starting'), undefined);
    pass(500);
    assert.match(judge.verdict('starting') ?? '', /^it has sent no heartbeat for 100 s$/);
  });

  it('is not blamed for a time in which the supervisor did not check', () => {
    const { clock, judge, pass } = judgeOf();
    pass(1000, beat);
    clock.now += 3_600_000;
    judge.look();
    assert.equal(judge.verdict('ready'), undefined);
    // Both slept and woke up: the worker has the whole limit to send a heartbeat.
    pass(9000);
    assert.equal(judge.verdict('ready'), undefined);
    pass(500);
    assert.notEqual(judge.verdict('ready'), undefined);
  });

  it('may be in a debugger of either kind', () => {
    const native = { inspected: false, traced: true };
    const { judge, pass } = judgeOf({}, native);
    pass(20_000);
    assert.equal(judge.verdict('ready'), undefined);
    pass(9500);
    assert.equal(judge.verdict('ready'), undefined);
    // After its release it has the whole limit to send a heartbeat.
    native.traced = false;
    assert.equal(judge.verdict('ready'), undefined);
    pass(9500);
    assert.equal(judge.verdict('ready'), undefined);
    pass(500);
    assert.match(judge.verdict('ready') ?? '', /^it has sent no heartbeat for 39.5 s$/);

    const inspected = judgeOf();
    inspected.judge.heard({ ...beat, inspected: true });
    inspected.pass(20_000);
    assert.equal(inspected.judge.verdict('ready'), undefined);

    const waitsForInspector = judgeOf({}, { inspected: true, traced: false });
    waitsForInspector.pass(200_000);
    assert.equal(waitsForInspector.judge.verdict('starting'), undefined);
  });

  it('has time for a heartbeat if a debugger releases it shortly before the limit', () => {
    const native = { inspected: false, traced: true };
    const { judge, pass } = judgeOf({}, native);
    pass(9500);
    assert.equal(judge.verdict('ready'), undefined);
    native.traced = false;
    pass(500);
    assert.equal(judge.verdict('ready'), undefined);
    pass(9000);
    assert.equal(judge.verdict('ready'), undefined);
    pass(500);
    assert.match(judge.verdict('ready') ?? '', /^it has sent no heartbeat for 19.5 s$/);
  });

  it('is not blamed for stuck calls while a debugger held it', () => {
    const native = { inspected: false, traced: true };
    const { judge, pass } = judgeOf({ degradedLimitMs: 30_000 }, native);
    judge.heard(stuckBeat);
    pass(60_000);
    assert.equal(judge.verdict('degraded'), undefined);
    native.traced = false;
    judge.heard(stuckBeat);
    assert.equal(judge.verdict('degraded'), undefined);
    pass(29_500, stuckBeat);
    assert.equal(judge.verdict('degraded'), undefined);
    pass(500, stuckBeat);
    assert.match(judge.verdict('degraded') ?? '', /^its engine calls have been stuck for 30 s$/);
  });

  it('is never killed with a limit of 0', () => {
    const { judge, pass } = judgeOf({ heartbeatMs: 0 });
    pass(1_000_000);
    assert.equal(judge.verdict('ready'), undefined);
  });
});

describe('a worker whose calls hang', () => {
  it('is killed after its own, longer limit', () => {
    const { judge, pass } = judgeOf();
    judge.heard(stuckBeat);
    pass(599_500, stuckBeat);
    assert.equal(judge.verdict('degraded'), undefined);
    pass(500, stuckBeat);
    assert.equal(judge.verdict('degraded'), 'its engine calls have been stuck for 600 s');
    assert.equal(judge.verdict('draining'), undefined);
  });

  it('starts this time again after its calls have returned', () => {
    const { judge, pass } = judgeOf();
    pass(599_500, stuckBeat);
    judge.heard(beat);
    judge.heard(stuckBeat);
    pass(599_500, stuckBeat);
    assert.equal(judge.verdict('degraded'), undefined);
  });

  it('is never killed with a limit of 0', () => {
    const { judge, pass } = judgeOf({ degradedLimitMs: 0 });
    pass(10_000_000, stuckBeat);
    assert.equal(judge.verdict('degraded'), undefined);
  });
});
