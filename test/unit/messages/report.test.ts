import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ReportedPlace, reportPool } from '../../../src/messages/report.ts';

/** A worker that serves, with the given changes. */
const place = (device: number, given: Partial<ReportedPlace> = {}): ReportedPlace => ({
  device,
  state: 'ready',
  serving: true,
  serviceId: device,
  pid: 100 + device,
  restarts: 0,
  uptimeMs: 5000.4,
  ...given,
});
const starting: Partial<ReportedPlace> = {
  state: 'starting',
  serving: false,
  serviceId: undefined,
  uptimeMs: 80,
};
const gone: Partial<ReportedPlace> = {
  ...starting,
  state: 'dead',
  pid: undefined,
  restarts: 2,
  uptimeMs: 0,
};

describe('the report of a pool', () => {
  it('has a client for each device, with null for unknown values', () => {
    const { clients } = reportPool([place(0), place(3, starting), place(5, gone)], 'any');
    assert.deepEqual(clients, [
      { device: 0, serviceId: 0, state: 'ready', pid: 100, restarts: 0, uptimeMs: 5000 },
      { device: 3, serviceId: null, state: 'starting', pid: 103, restarts: 0, uptimeMs: 80 },
      { device: 5, serviceId: null, state: 'dead', pid: null, restarts: 2, uptimeMs: 0 },
    ]);
  });

  it('reports degraded for a worker that runs and does not respond, and dead without a process', () => {
    const stateOf = (given: Partial<ReportedPlace>) =>
      reportPool([place(0, given)], 'any').clients[0]?.state;
    assert.equal(stateOf({ serving: false }), 'degraded');
    assert.equal(stateOf({ state: 'draining', serving: false }), 'draining');
    assert.equal(stateOf({ state: 'stopped', serving: false }), 'dead');
  });

  it('is ready if one worker is, or only if all are', () => {
    const both = [place(0), place(1)];
    const one = [place(0), place(1, starting)];
    const none = [place(0, gone), place(1, starting)];
    const ready = (places: ReportedPlace[]) =>
      (['any', 'all'] as const).map((when) => reportPool(places, when).ready);
    assert.deepEqual(ready(both), [true, true]);
    assert.deepEqual(ready(one), [true, false]);
    assert.deepEqual(ready(none), [false, false]);
  });

  it('says how many are ready, how many are required, and which are not ready', () => {
    const detail = (when: 'any' | 'all', ...places: ReportedPlace[]) =>
      reportPool(places, when).detail;
    assert.equal(detail('any', place(0)), 'The worker is ready.');
    assert.equal(detail('all', place(0), place(1)), 'All 2 workers are ready.');
    assert.equal(
      detail('any', place(0), place(1, starting)),
      '1 of 2 workers is ready, and one is enough (--ready-when any). Not ready: device 1 (starting).',
    );
    assert.equal(
      detail('all', place(0, gone), place(1, starting)),
      '0 of 2 workers are ready, and all have to be (--ready-when all). Not ready: device 0 (dead), device 1 (starting).',
    );
  });
});
