import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { silentLog } from '../../../src/pool/log.ts';
import { createProgress } from '../../../src/pool/progress.ts';
import type { ClientReport } from '../../../src/pool/report.ts';

/** A progress of two workers, on a clock that the test moves. */
function setup() {
  mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const told: string[] = [];
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
    told.push(message);
  };
  const progress = createProgress({ log: { ...silentLog, info }, clients });
  const pass = (ms: number) => {
    now += ms;
    mock.timers.tick(ms);
  };
  return { progress, pass, starting, told, fields };
}

describe('the progress of a start', () => {
  it('is told after 5 s, then every 15 s, until every worker is ready', (t) => {
    t.after(() => mock.timers.reset());
    const { progress, pass, starting, told, fields } = setup();
    progress.started();
    progress.started();
    pass(4999);
    assert.deepEqual(told, []);
    pass(1);
    assert.deepEqual(told, ['still starting: device 0 for 5 s, device 1 for 5 s']);
    assert.deepEqual(fields, [{ devices: [0, 1] }]);
    starting.delete(0);
    pass(15_000);
    assert.equal(told.at(-1), 'still starting: device 1 for 20 s');
    starting.delete(1);
    pass(100_000);
    assert.equal(told.length, 2);
  });

  it('is told again of a worker that is started later, and never after the end', (t) => {
    t.after(() => mock.timers.reset());
    const { progress, pass, starting, told } = setup();
    starting.clear();
    progress.started();
    pass(5000);
    assert.deepEqual(told, []);
    starting.add(1);
    progress.started();
    pass(5000);
    assert.equal(told.length, 1);
    progress.end();
    progress.started();
    pass(100_000);
    assert.equal(told.length, 1);
  });
});
