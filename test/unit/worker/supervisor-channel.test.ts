import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { SupervisorChannel } from '../../../src/worker/supervisor-channel.ts';

describe('the channel to the supervisor', () => {
  it('fails a request for metrics or a report without a response within 5 s', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const channel = new SupervisorChannel();
    const asked = [channel.metricsText(), channel.poolReport()];
    mock.timers.tick(5000);
    for (const one of asked) await assert.rejects(one, /did not respond within 5000 ms/);
  });

  it('fails them at once when the supervisor has ended', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const channel = new SupervisorChannel();
    const asked = [channel.metricsText(), channel.poolReport()];
    channel.end();
    for (const one of [...asked, channel.metricsText(), channel.poolReport()]) {
      await assert.rejects(one, /has ended/);
    }
  });
});
