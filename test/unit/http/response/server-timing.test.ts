import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asksForTiming, RequestTiming } from '../../../../src/http/response/server-timing.ts';
import type { SyncCalls } from '../../../../src/native/abi/types.ts';
import {
  bothTraces,
  currentTrace,
  isTracing,
  runTraced,
} from '../../../../src/scheduler/call-trace.ts';
import { tracedSyncCalls } from '../../../../src/scheduler/traced-sync-calls.ts';

const call = { operation: 'get', requests: 1 };

describe('a request', () => {
  it('asks for its times with `on`, and with nothing else', () => {
    assert.ok(asksForTiming({ headers: { 'memcache-timing': 'on' } }));
    for (const value of ['', 'On', 'off', '1', 'true', 'on, on', 'on;q=1', '\u00ff']) {
      assert.equal(asksForTiming({ headers: { 'memcache-timing': value } }), false, value);
    }
    assert.equal(asksForTiming({ headers: {} }), false);
  });
});

describe('the times of a request', () => {
  it('are added up: waits for memory, for engine calls, and the calls', () => {
    const timing = new RequestTiming();
    timing.ended({ ...call, submittedMs: 10, sentMs: 11, endedMs: 14 });
    timing.ended({ ...call, submittedMs: 20, sentMs: 20.5, endedMs: 21 });
    // It has failed in the queue.
    timing.ended({ ...call, submittedMs: 30, sentMs: undefined, endedMs: 32 });
    timing.waited(100);
    timing.waited(0.25);
    const value = 'arena;dur=100.25, queue;dur=3.5, engine;dur=3.5, total;dur=140.123';
    assert.equal(timing.valueAfter(140.12345), value);
    timing.end();
  });

  it('are 0 without engine calls, and never in exponential form', () => {
    const timing = new RequestTiming();
    timing.waited(1e-7);
    assert.equal(
      timing.valueAfter(1e9 + 0.5),
      'arena;dur=0, queue;dur=0, engine;dur=0, total;dur=1000000000.5',
    );
    timing.end();
  });

  it('go to both traces where there are two', () => {
    const [first, second] = [new RequestTiming(), new RequestTiming()];
    const both = bothTraces(first, second);
    both?.waited(3);
    both?.ended({ ...call, submittedMs: 0, sentMs: 1, endedMs: 3 });
    for (const timing of [first, second]) {
      assert.equal(timing.valueAfter(5), 'arena;dur=3, queue;dur=1, engine;dur=2, total;dur=5');
      timing.end();
    }
    assert.equal(bothTraces(undefined, undefined), undefined);
  });
});

describe('without a request that asks', () => {
  it('nothing is measured, also after one has asked', (t) => {
    const sync = tracedSyncCalls({ exist: () => 0 } as unknown as SyncCalls);
    const clock = t.mock.method(performance, 'now');
    sync.exist('a');
    assert.equal(isTracing(), false);
    const timing = new RequestTiming();
    runTraced(timing, () => {
      sync.exist('a');
      assert.equal(currentTrace(), timing);
      assert.equal(clock.mock.callCount(), 2);
      timing.end();
      assert.equal(currentTrace(), undefined);
      sync.exist('a');
    });
    assert.equal(isTracing(), false);
    assert.equal(clock.mock.callCount(), 2);
  });

  it('a request beside one that asks is not part of its times', () => {
    const timing = new RequestTiming();
    runTraced(timing, () => undefined);
    assert.equal(currentTrace(), undefined);
    timing.end();
  });
});
