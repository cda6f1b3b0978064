import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { silentLog } from '../../../src/log/waiting-log.ts';
import type { ClientReport } from '../../../src/messages/report.ts';
import { createProgress } from '../../../src/supervisor/progress.ts';

/** The progress of two workers, with a clock that the test controls. */
function setup() {
  mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const reported: string[] = [];
  const starting = new Set([0, 1]);
  const fields: object[] = [];
  const clients = () =>
    [0, 1].map(
      (device): ClientReport => ({
        device,
        serviceId: null,
        state: starting.has(device) ? 'starting' : 'ready',
        pid: 1,
        restarts: 0,
        uptimeMs: now,
      }),
    );
  const info = (given: object, message: string) => {
    fields.push(given);
    reported.push(message);
  };
  const progress = createProgress({ log: { ...silentLog, info }, clients });
  const pass = (ms: number) => {
    now += ms;
    mock.timers.tick(ms);
  };
  return { progress, pass, starting, reported, fields };
}

describe('the progress of a start', () => {
  it('is logged after 5 s, then every 15 s, until every worker is ready', (t) => {
    t.after(() => mock.timers.reset());
    const { progress, pass, starting, reported, fields } = setup();
    progress.started();
    progress.started();
    pass(4999);
    assert.deepEqual(reported, []);
    pass(1);
    assert.deepEqual(reported, ['still starting: device 0 for 5 s, device 1 for 5 s']);
    assert.deepEqual(fields, [{ devices: [0, 1] }]);
    starting.delete(0);
    pass(15_000);
    assert.equal(reported.at(-1), 'still starting: device 1 for 20 s');
    starting.delete(1);
    pass(100_000);
    assert.equal(reported.length, 2);
  });

  it('is logged again for a worker that starts later, and never after shutdown', (t) => {
    t.after(() => mock.timers.reset());
    const { progress, pass, starting, reported } = setup();
    starting.clear();
    progress.started();
    pass(5000);
    assert.deepEqual(reported, []);
    starting.add(1);
    progress.started();
    pass(5000);
    assert.equal(reported.length, 1);
    progress.end();
    progress.started();
    pass(100_000);
    assert.equal(reported.length, 1);
  });
});
