import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fixedLimit, MeasuredLimit } from '../../../src/scheduler/call-limit.ts';
import {
  type EngineModel,
  eightLanes,
  ModelledRun,
  oneLock,
} from '../../helpers/engine/modelled-engine.ts';

const CLIENTS = 64;
/** Virtual time in which a number must be found. */
const FINDING_MS = 3000;
const MEASURED_MS = 2000;

const bestFixedRates = new Map<EngineModel, number>();

/** The rate with the best of the fixed numbers. */
function bestFixedRate(engine: EngineModel): number {
  const known = bestFixedRates.get(engine);
  if (known !== undefined) return known;
  const rates = [1, 2, 4, 8].map((calls) => {
    const fixed = new ModelledRun(engine, fixedLimit(calls), CLIENTS);
    fixed.run(500);
    return fixed.run(1000);
  });
  const best = Math.max(...rates);
  bestFixedRates.set(engine, best);
  return best;
}

function measuredRun(engine: EngineModel, first = 2): ModelledRun<MeasuredLimit> {
  return new ModelledRun(engine, new MeasuredLimit(first, 8), CLIENTS);
}

function assertNearBest(run: ModelledRun<MeasuredLimit>): void {
  const rate = run.run(MEASURED_MS);
  const best = bestFixedRate(run.engine);
  const figures = `${rate.toFixed(2)} of ${best.toFixed(2)} per ms, with ${run.limit.found} calls`;
  assert.ok(rate >= 0.9 * best, figures);
}

const engines = [
  ['an engine that works on one call at a time', oneLock, 1],
  ['an engine that works on eight calls at a time', eightLanes, 8],
] as const;

describe('the measured limit of calls in flight', () => {
  for (const [name, engine, best] of engines) {
    for (const first of [1, 2, 8]) {
      it(`serves at least 90 % of what the best fixed number serves, from ${first} on, on ${name}`, () => {
        const run = measuredRun(engine, first);
        run.run(FINDING_MS);
        assert.equal(run.limit.found, best);
        assertNearBest(run);
      });
    }
  }

  it('finds another number after the engine has changed', () => {
    const run = measuredRun(oneLock);
    run.run(4 * FINDING_MS);
    for (const engine of [eightLanes, oneLock]) {
      run.engine = engine;
      run.run(3 * FINDING_MS);
      assertNearBest(run);
    }
  });

  for (const [name, engine, best] of engines) {
    it(`keeps its number when a call takes a second, at any time, on ${name}`, () => {
      for (let at = 5; at <= 200; at += 12) {
        const run = measuredRun({ ...engine, extraMs: (call) => (call === at ? 1000 : 0) }, best);
        for (let i = 0; i < 20; i++) {
          run.run(100);
          assert.equal(run.limit.found, best, `call ${at}`);
        }
      }
    });
  }

  /** Each forty calls on average, the same ones in each run, one takes longer. */
  const stalls = (call: number): number =>
    (call * 2_654_435_761) % 2 ** 32 < 2 ** 32 / 40 ? 40 : 0;

  for (const [name, engine, best] of engines) {
    it(`finds and keeps its number although calls stall now and then, on ${name}`, () => {
      const run = measuredRun({ ...engine, extraMs: stalls });
      run.run(3 * FINDING_MS);
      for (let i = 0; i < 100; i++) {
        run.run(100);
        assert.equal(run.limit.found, best);
      }
    });
  }

  it('tries no other number while too few calls are in flight to show anything', () => {
    const limit = new MeasuredLimit(8, 8);
    for (let call = 0; call < 5000; call++) {
      limit.onReturn(10, 3, call);
      assert.equal(limit.current, 8);
    }
  });

  it('ends a trial when the load has become too small to show anything', () => {
    const limit = new MeasuredLimit(4, 8);
    let nowMs = 0;
    for (; limit.current === 4; nowMs++) limit.onReturn(10, 4, nowMs);
    for (let call = 0; call < 500; call++) limit.onReturn(10, 1, nowMs + call);
    assert.deepEqual([limit.current, limit.found], [4, 4]);
  });

  it('ignores pauses of the load', () => {
    const limit = new MeasuredLimit(2, 8);
    let nowMs = 0;
    let random = 1;
    for (let call = 0; call < 20_000; call++) {
      random = (random * 48_271) % 2_147_483_647;
      if (random % 23 === 0) nowMs += 1000;
      limit.onStart(nowMs);
      nowMs += limit.current === 2 ? 3 : 3.3;
      limit.onReturn(64, limit.current, nowMs);
      assert.equal(limit.found, 2);
    }
  });

  it('tries no number below one or above the most', () => {
    for (const most of [2, 3, 7]) {
      const run = new ModelledRun(eightLanes, new MeasuredLimit(1, most), CLIENTS);
      const tried = new Set<number>();
      for (let i = 0; i < 400; i++) {
        run.run(10);
        tried.add(run.limit.current);
      }
      assert.equal(Math.min(...tried), 1);
      assert.equal(Math.max(...tried), most);
      assert.equal(run.limit.found, most);
    }
  });
});
